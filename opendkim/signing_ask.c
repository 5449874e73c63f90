/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "opendkim/author.h"
#include "opendkim/peers.h"
#include "opendkim/signing_internal.h"

enum { STEPS_MAX = 10000 };

/* -- what is said ------------------------------------------------------------------------- */

void signing_step(struct signing_course *course, const char *fmt, ...)
{
    va_list args;
    struct buf text = BUF_INIT(0);
    struct signing_answer *answer = course->answer;
    if (answer->step_count >= STEPS_MAX)
        return;
    char **steps = realloc(answer->steps, (answer->step_count + 1) * sizeof(char *));
    va_start(args, fmt);
    buf_vprintf(&text, fmt, args);
    va_end(args);
    char *step = buf_take(&text);
    if (steps != NULL)
        answer->steps = steps;
    if (steps == NULL || step == NULL) {
        free(step);
        course->failed = true;
        return;
    }
    answer->steps[answer->step_count++] = step;
}

void signing_finish(struct signing_course *course, enum signing_action action, const char *fmt, ...)
{
    va_list args;
    struct buf text = BUF_INIT(0);
    struct err reason;
    if (course->done)
        return;
    va_start(args, fmt);
    buf_vprintf(&text, fmt, args);
    va_end(args);
    err_set(&reason, ST_OK, "%s", buf_cstr(&text));
    memcpy(course->answer->reason, reason.text, sizeof reason.text);
    course->answer->action = action;
    course->done = true;
    buf_clear(&text);
}

void signing_fail(struct signing_course *course, const char *setting, const char *key,
                  const struct err *err)
{
    course->answer->trouble = course->answer->trouble || (!course->done && err->code != ST_INVALID);
    signing_finish(course, SIGNING_TEMPFAIL, "%s: %.200s: %s", setting, key, err->text);
}

/* -- requests ----------------------------------------------------------------------------- */

void signing_request_clear(struct signing_request *request)
{
    free(request->domain);
    free(request->selector);
    free(request->identity);
    free(request->key_name);
    *request = (struct signing_request){.domain = NULL};
}

void signing_add_request(struct signing_course *course, struct signing_request *request,
                         const struct keytable_key *key)
{
    struct signing_request *requests = course->requests;
    request->usable = key->usable;
    request->kind = key->kind;
    request->bits = key->bits;
    memcpy(request->fault, key->fault, sizeof request->fault);
    course->request_count++;
    if (requests == NULL)
        requests = course->requests = calloc(2, sizeof *requests);
    if (requests == NULL || request->domain == NULL || request->selector == NULL ||
        request->key_name == NULL) {
        course->failed = true;
        signing_request_clear(request);
        return;
    }
    size_t place = course->request_count == 1 ? 0 : 1;
    if (course->request_count > 2)
        signing_step(course, "OpenDKIM loses the signature with the key %s", requests[1].key_name);
    signing_request_clear(&requests[place]);
    requests[place] = *request;
}

/* -- the author --------------------------------------------------------------------------- */

static struct span first_field(const struct dkim_fields *fields, struct span name)
{
    size_t count = dkim_fields_count(fields, name);
    if (count == 0)
        return (struct span){NULL, 0};
    return dkim_fields_value(fields, dkim_fields_from_bottom(fields, name, count - 1));
}

static struct span sender_field(const struct signing_course *course)
{
    const struct table *senders = course->signing->sets[SIGNING_SENDERS];
    bool with_from = false;
    const char *macro = configuration_text(course->signing->options.configuration, "SenderMacro");
    const char *value = macro == NULL ? NULL : signing_macro_of(course, macro);
    if (value != NULL && value[0] != '\0')
        return span_str(value);
    for (size_t i = 0; senders != NULL && i < table_count(senders); i++) {
        struct span name = table_row_at(senders, i).key;
        struct span found = first_field(course->question->fields, name);
        with_from = with_from || span_equal_nocase(name, SPAN_LIT("From"));
        if (found.data != NULL)
            return found;
    }
    if (with_from)
        return (struct span){NULL, 0};
    return first_field(course->question->fields, SPAN_LIT("From"));
}

static void find_author(struct signing_course *course)
{
    struct buf domain = BUF_INIT(0);
    struct span value = span_trim(sender_field(course));
    bool read = author_read(value, &course->user, &domain);
    for (size_t i = 0; i < domain.len; i++)
        buf_append_char(&course->domain, ascii_lower(domain.data[i]));
    buf_clear(&domain);
    if (value.len == 0)
        signing_finish(course, SIGNING_UNSIGNED, "there is no author");
    else if ((course->signing->mode & SIGNING_MODE_SIGN) != 0 &&
             (!read || course->user.len == 0 || course->domain.len == 0))
        signing_finish(course, SIGNING_UNSIGNED, "the author cannot be read");
    else
        signing_step(course, "the author is %s@%s", buf_cstr(&course->user),
                     buf_cstr(&course->domain));
}

/* -- who is left alone -------------------------------------------------------------------- */

static void ask_peers(struct signing_course *course)
{
    const struct table *list = course->signing->sets[SIGNING_PEERS];
    const struct signing_question *question = course->question;
    struct table_found why = {.has_value = false};
    const char *host = question->host == NULL ? "" : question->host;
    bool listed = false;
    if (list == NULL)
        return;
    if (host[0] != '[')
        listed = peers_contain_name(list, host, &why);
    if (!listed && question->address != NULL)
        listed = peers_contain_address(list, question->address, &why);
    if (listed)
        signing_finish(course, SIGNING_UNSIGNED, "the client is in PeerList (%s, line %zu)",
                       table_name(list), why.place.line);
}

static bool is_listed(struct signing_course *course, enum signing_set set, const char *setting,
                      const char *text)
{
    struct table_found found;
    struct err err;
    const struct table *list = course->signing->sets[set];
    enum status status = table_find(list, span_str(text), &found, &err);
    table_found_clear(&found);
    if (status != ST_OK && status != ST_NOT_FOUND)
        signing_fail(course, setting, text, &err);
    return status == ST_OK;
}

static void ask_exempt(struct signing_course *course)
{
    if (course->signing->sets[SIGNING_EXEMPT] != NULL && course->domain.len > 0 &&
        is_listed(course, SIGNING_EXEMPT, "ExemptDomains", buf_cstr(&course->domain)))
        signing_finish(course, SIGNING_UNSIGNED, "%s is in ExemptDomains",
                       buf_cstr(&course->domain));
}

static void ask_recipients(struct signing_course *course)
{
    const struct signing_question *question = course->question;
    for (size_t i = 0; course->signing->sets[SIGNING_DONT] != NULL && !course->done &&
                       i < question->recipient_count;
         i++)
        if (is_listed(course, SIGNING_DONT, "DontSignMailTo", question->recipients[i]))
            signing_finish(course, SIGNING_UNSIGNED, "%.100s is in DontSignMailTo",
                           question->recipients[i]);
}

/* -- signing ------------------------------------------------------------------------------ */

/* i= is kept if its domain is d= or below it, and OpenDKIM fails without an `@`. */
static bool keeps_identity(const char *identity, const char *domain)
{
    const char *at = identity == NULL ? NULL : strchr(identity, '@');
    if (at == NULL)
        return false;
    if (span_equal_nocase(span_str(at + 1), span_str(domain)))
        return true;
    for (const char *dot = strchr(at + 1, '.'); dot != NULL; dot = strchr(dot + 1, '.'))
        if (span_equal_nocase(span_str(dot + 1), span_str(domain)))
            return true;
    return false;
}

/* The library makes no signature with other names, and OpenDKIM goes on as if it had. */
static bool is_ascii(const char *text)
{
    while (*text != '\0' && (unsigned char)*text < 0x80)
        text++;
    return *text == '\0';
}

static void check_request(struct signing_course *course, const struct signing_request *request)
{
    struct signing *signing = course->signing;
    bool rsa = strncmp(signing->algorithm, "rsa-", 4) == 0;
    int64_t least = configuration_number(signing->options.configuration, "MinimumKeyBits");
    enum signing_action internal = signing_handling(signing, "InternalError");
    if (!is_ascii(request->domain) || !is_ascii(request->selector))
        signing_finish(course, SIGNING_STOPPED, "OpenDKIM crashes: d=%s s=%s is not in ASCII",
                       request->domain, request->selector);
    else if (!request->usable)
        signing_finish(course, internal, "key %s: %s", request->key_name, request->fault);
    else if (rsa && request->kind != DKIM_KEY_RSA)
        signing_finish(course, internal, "key %s: not an RSA key, and SignatureAlgorithm is %s",
                       request->key_name, signing->algorithm);
    else if (rsa && (request->bits + 7) / 8 * 8 < (least == 0 ? 1024 : least))
        signing_finish(course, signing_handling(signing, "SignatureError"),
                       "key %s: %d bits are less than MinimumKeyBits", request->key_name,
                       request->bits);
    else if (request->identity != NULL && strchr(request->identity, '@') == NULL)
        signing_finish(course, SIGNING_UNSIGNED, "the signer %s is no address", request->identity);
    else if (!rsa && request->kind != DKIM_KEY_ED25519)
        signing_step(course, "key %s: not an Ed25519 key: the signature will not verify",
                     request->key_name);
    course->answer->any_key = course->done && request->any_key;
}

static void tell_signature(struct signing_course *course, struct signing_request *request)
{
    struct signing_answer *answer = course->answer;
    struct signing_signature *signature = &answer->list[answer->count];
    bool identity = keeps_identity(request->identity, request->domain);
    if (request->identity != NULL && !identity)
        signing_step(course, "the signer %s is not at or below %s and is left out",
                     request->identity, request->domain);
    *signature = (struct signing_signature){
        .domain = span_dup(span_str(request->domain)),
        .selector = span_dup(span_str(request->selector)),
        .identity = identity ? span_dup(span_str(request->identity)) : NULL,
        .algorithm = span_dup(span_str(course->signing->algorithm)),
        .key = span_dup(span_str(request->key_name)),
        .any_domain = request->any_domain,
        .any_identity = identity && request->any_identity,
    };
    answer->count++;
    course->failed = course->failed || signature->domain == NULL || signature->selector == NULL ||
                     signature->algorithm == NULL || signature->key == NULL ||
                     (identity && signature->identity == NULL);
}

static void sign(struct signing_course *course)
{
    size_t count = course->request_count < 2 ? course->request_count : 2;
    for (size_t i = 0; i < count && !course->done; i++)
        check_request(course, &course->requests[i]);
    if (course->done || course->failed)
        return;
    course->answer->list = calloc(count, sizeof *course->answer->list);
    if (course->answer->list == NULL) {
        course->failed = true;
        return;
    }
    for (size_t i = 0; i < count; i++)
        tell_signature(course, &course->requests[i]);
    signing_finish(course, SIGNING_SIGN, "signed as %s with selector %s",
                   course->requests[0].domain, course->requests[0].selector);
}

/* -- the course of it --------------------------------------------------------------------- */

static void decide_requests(struct signing_course *course)
{
    struct signing *signing = course->signing;
    bool rules = signing->sets[SIGNING_RULES] != NULL && signing->sets[SIGNING_KEYS] != NULL;
    signing_decide_domain(course);
    if (!course->origin_ok || course->done || course->failed)
        return;
    if (configuration_text(signing->options.configuration, "KeyList") != NULL) {
        signing_apply_keylist(course);
        return;
    }
    if (rules && course->user.len > 0 && course->domain.len > 0)
        signing_apply_rules(course);
    if (!course->done && !course->failed && course->domain_ok && course->request_count == 0)
        signing_request_default(course);
}

static void decide_mode(struct signing_course *course)
{
    bool signs = course->request_count > 0;
    unsigned mode = course->signing->mode;
    if (signs && (mode & SIGNING_MODE_SIGN) == 0)
        signing_finish(course, SIGNING_UNSIGNED,
                       "it is mail to be signed, and Mode has no s; it is not verified either");
    else if (!signs && (mode & SIGNING_MODE_VERIFY) == 0)
        signing_finish(course, SIGNING_UNSIGNED,
                       course->origin_ok ? "no domain or key for the author"
                                         : "the client may not sign");
    else if (!signs)
        signing_finish(course, SIGNING_VERIFY,
                       course->origin_ok ? "no domain or key for the author"
                                         : "the client may not sign");
}

static void run(struct signing_course *course)
{
    void (*const stages[])(struct signing_course *) = {
        ask_peers,       find_author, ask_exempt,     signing_decide_origin,
        decide_requests, decide_mode, ask_recipients, sign};
    if (course->signing->stop[0] != '\0')
        signing_finish(course, SIGNING_STOPPED, "OpenDKIM does not start: %s",
                       course->signing->stop);
    for (size_t i = 0; i < sizeof stages / sizeof stages[0] && !course->done && !course->failed;
         i++)
        stages[i](course);
}

enum status signing_ask(struct signing *signing, const struct signing_question *question,
                        struct signing_answer *out, struct err *err)
{
    *out = (struct signing_answer){.action = SIGNING_UNSIGNED};
    struct signing_course course = {.signing = signing, .question = question, .answer = out};
    run(&course);
    for (size_t i = 0; course.requests != NULL && i < 2; i++)
        signing_request_clear(&course.requests[i]);
    free(course.requests);
    buf_clear(&course.user);
    buf_clear(&course.domain);
    return course.failed ? err_set(err, ST_TEMP, "no memory for what OpenDKIM would do") : ST_OK;
}
