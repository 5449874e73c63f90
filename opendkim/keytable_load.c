/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "opendkim/files.h"
#include "opendkim/keytable.h"

/* Files kept; when there are more, the oldest goes. */
enum { KEPT_MAX = 256, BASE64_LINE = 64 };

struct kept {
    struct keytable_key key;
    struct buf octets; /* secret */
    UT_hash_handle hh;
    char path[];
};

struct keytable_loader {
    struct keytable_options options;
    struct safekeys *safekeys;
    struct kept *kept;
    struct kept *inlined; /* the last key that stood in the table */
};

enum status keytable_loader_new(const struct keytable_options *options,
                                struct keytable_loader **out, struct err *err)
{
    *out = calloc(1, sizeof **out);
    if (*out == NULL)
        return err_set(err, ST_TEMP, "no memory to read keys");
    (*out)->options = *options;
    enum status status = safekeys_new(options->user, &(*out)->safekeys, err);
    if (status == ST_OK)
        return ST_OK;
    keytable_loader_free(*out);
    *out = NULL;
    return status;
}

static void kept_free(struct kept *kept)
{
    if (kept == NULL)
        return;
    buf_clear(&kept->octets);
    free(kept);
}

void keytable_loader_free(struct keytable_loader *loader)
{
    struct kept *kept;
    struct kept *next;
    if (loader == NULL)
        return;
    HASH_ITER(hh, loader->kept, kept, next)
    {
        HASH_DEL(loader->kept, kept);
        kept_free(kept);
    }
    kept_free(loader->inlined);
    safekeys_free(loader->safekeys);
    free(loader);
}

/* -- what the octets are ------------------------------------------------------------------ */

static bool in_base64(char c)
{
    return ascii_alpha(c) || ascii_digit(c) || c == '+' || c == '/';
}

/* As OpenDKIM reads it: what is no base64 is passed over, and `=` ends it. */
static void append_base64(struct span text, size_t line_len, struct buf *out)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len && text.data[i] != '='; i++) {
        if (!in_base64(text.data[i]))
            continue;
        if (line_len > 0 && count > 0 && count % line_len == 0)
            buf_append_char(out, '\n');
        buf_append_char(out, text.data[i]);
        count++;
    }
    for (; count % 4 != 0; count++)
        buf_append_char(out, '=');
}

static void look(struct keytable_key *key)
{
    struct buf base64 = BUF_SECRET(FILES_KEY_MAX * 2);
    struct buf der = BUF_SECRET(FILES_KEY_MAX);
    struct err err;
    enum status status = ST_OK;
    struct span octets = span_head(key->octets, span_find(key->octets, '\0'));
    if (span_has_prefix(octets, SPAN_LIT("MII"))) {
        append_base64(octets, 0, &base64);
        status = dkim_base64_decode(buf_span(&base64), &der, &err);
        octets = buf_span(&der);
    }
    if (status == ST_OK)
        status = dkim_key_look(octets, &key->kind, &key->bits, &err);
    key->usable = status == ST_OK;
    if (status != ST_OK)
        err_set(&err, ST_INVALID,
                "not a private key that OpenDKIM can read (PEM from the first octet on, or base64 "
                "of RSA)");
    if (status != ST_OK) /* more to the point than who else may read it */
        memcpy(key->fault, err.text, sizeof key->fault);
    buf_clear(&base64);
    buf_clear(&der);
}

/* -- files -------------------------------------------------------------------------------- */

static struct kept *keep(struct keytable_loader *loader, const char *path, struct err *err)
{
    size_t len = strlen(path);
    struct kept *kept = calloc(1, sizeof *kept + len + 1);
    if (kept != NULL) {
        memcpy(kept->path, path, len);
        kept->octets = BUF_SECRET(FILES_KEY_MAX);
        HASH_ADD_KEYPTR(hh, loader->kept, kept->path, len, kept);
    }
    if (kept == NULL || kept->hh.tbl == NULL) {
        free(kept);
        err_set(err, ST_TEMP, "no memory for a key");
        return NULL;
    }
    if (HASH_COUNT(loader->kept) > KEPT_MAX) {
        struct kept *oldest = loader->kept;
        HASH_DEL(loader->kept, oldest);
        kept_free(oldest);
    }
    return kept;
}

static void set_fault(struct keytable_key *key, const struct err *err)
{
    if (key->fault[0] == '\0')
        memcpy(key->fault, err->text, sizeof key->fault);
}

static enum status read_octets(struct keytable_loader *loader, struct kept *kept, bool as_user,
                               struct files_place *place, struct err *err)
{
    const char *root = as_user ? loader->options.root : NULL;
    const char *path = kept->path + (root == NULL ? 0 : strlen(root));
    enum status status = files_resolve(root, path, place, err);
    if (status != ST_OK)
        return err_context(err, "%s", kept->path);
    if (as_user)
        status = safekeys_readable(loader->safekeys, place, err);
    if (status == ST_OK && files_read(place->path, &kept->octets, err) != ST_OK)
        status = err_context(err, "%s", kept->path);
    return status;
}

static void read_key(struct keytable_loader *loader, struct kept *kept, bool as_user)
{
    struct err err;
    struct files_place place;
    struct keytable_key *key = &kept->key;
    enum status status = read_octets(loader, kept, as_user, &place, &err);
    key->found = status == ST_OK;
    if (!key->found) {
        set_fault(key, &err);
        return;
    }
    key->secure = safekeys_check(loader->safekeys, &place, &err) == ST_OK;
    if (!key->secure)
        set_fault(key, &err);
    key->octets = buf_span(&kept->octets);
    look(key);
}

static enum status load_path(struct keytable_loader *loader, const char *path, bool as_user,
                             const struct keytable_key **out, struct err *err)
{
    struct kept *kept = NULL;
    HASH_FIND(hh, loader->kept, path, strlen(path), kept);
    if (kept == NULL) {
        kept = keep(loader, path, err);
        if (kept == NULL)
            return ST_TEMP;
        read_key(loader, kept, as_user);
    }
    *out = &kept->key;
    return ST_OK;
}

static void append_place(const struct keytable_options *options, struct span path, struct buf *out)
{
    if (options->root != NULL)
        buf_append_str(out, options->root);
    if (!span_has_prefix(path, SPAN_LIT("/")))
        buf_printf(out, "%s/", options->root != NULL || options->base == NULL ? "" : options->base);
    buf_append_span(out, path);
}

void keytable_place(const struct keytable_loader *loader, struct span name, struct buf *out)
{
    append_place(&loader->options, name, out);
}

/* -- loading ------------------------------------------------------------------------------ */

static enum status load_inline(struct keytable_loader *loader, struct span octets,
                               const struct keytable_key **out, struct err *err)
{
    kept_free(loader->inlined);
    loader->inlined = calloc(1, sizeof(struct kept) + 1);
    if (loader->inlined == NULL)
        return err_set(err, ST_TEMP, "no memory for a key");
    loader->inlined->octets = BUF_SECRET(FILES_KEY_MAX);
    buf_append_span(&loader->inlined->octets, octets);
    struct keytable_key *key = &loader->inlined->key;
    key->octets = buf_span(&loader->inlined->octets);
    key->found = key->secure = true;
    look(key);
    *out = key;
    return ST_OK;
}

enum status keytable_load(struct keytable_loader *loader, const struct keytable_entry *entry,
                          struct span author_domain, const struct keytable_key **out,
                          struct err *err)
{
    struct buf name = BUF_INIT(0);
    struct buf path = BUF_INIT(0);
    if (!entry->is_file)
        return load_inline(loader, entry->key, out, err);
    keytable_file(entry, author_domain, &name);
    append_place(&loader->options, buf_span(&name), &path);
    enum status status = buf_check(&path, "the name of a key file", err);
    if (status == ST_OK)
        status = load_path(loader, buf_cstr(&path), true, out, err);
    buf_clear(&name);
    buf_clear(&path);
    return status;
}

enum status keytable_load_file(struct keytable_loader *loader, const char *path,
                               const struct keytable_key **out, struct err *err)
{
    struct buf place = BUF_INIT(0);
    const struct keytable_options outside = {.base = loader->options.base};
    append_place(&outside, span_str(path), &place);
    enum status status = buf_check(&place, "the name of a key file", err);
    if (status == ST_OK)
        status = load_path(loader, buf_cstr(&place), false, out, err);
    buf_clear(&place);
    return status;
}

enum status keytable_pem(const struct keytable_key *key, struct buf *out, struct err *err)
{
    struct span octets = span_head(key->octets, span_find(key->octets, '\0'));
    if (span_has_prefix(octets, SPAN_LIT("-----"))) {
        buf_append_span(out, octets);
        return buf_check(out, "a key", err);
    }
    if (!span_has_prefix(octets, SPAN_LIT("MII")) || !key->usable)
        return err_set(err, ST_INVALID, "neither PEM nor base64 of an RSA key");
    /* PKCS#8 has an algorithm where PKCS#1 has its modulus; PEM says in words which it is. */
    struct buf der = BUF_SECRET(FILES_KEY_MAX);
    struct buf base64 = BUF_SECRET(FILES_KEY_MAX * 2);
    append_base64(octets, 0, &base64);
    enum status status = dkim_base64_decode(buf_span(&base64), &der, err);
    if (status == ST_OK) {
        bool pkcs8 = der.len > 8 && der.data[7] == 0x30;
        const char *label = pkcs8 ? "PRIVATE KEY" : "RSA PRIVATE KEY";
        buf_printf(out, "-----BEGIN %s-----\n", label);
        append_base64(octets, BASE64_LINE, out);
        buf_printf(out, "\n-----END %s-----\n", label);
        status = buf_check(out, "a key", err);
    }
    buf_clear(&der);
    buf_clear(&base64);
    return status;
}
