/* SPDX-License-Identifier: Apache-2.0
 *
 * The floor: the least that a libmilter filter with DKIM signatures could do. For each message
 * one raw RSA-2048 signature with a warm key over a fixed digest, and one header field of the
 * size of a real one inserted; no header is kept, no body hashed, nothing looked up or logged.
 * Same number of processes, same socket options and same negotiation as inkand.
 *
 *   bench_floor --socket unix:/path|inet:PORT@HOST --processes N
 */
#include <fcntl.h>
#include <getopt.h>
#include <libmilter/mfapi.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESSES_MAX = 256, VALUE_SIZE = 720 };

static EVP_PKEY *key;
static char value[VALUE_SIZE];
static bool tcp;

/* A context per session: what a real filter cannot do without. */
static sfsistat on_end_of_message(SMFICTX *ctx)
{
    unsigned char digest[32] = {7}, signature[256];
    size_t len = sizeof signature;
    EVP_PKEY_CTX *sign = EVP_PKEY_CTX_new(key, NULL);
    bool made = sign != NULL && EVP_PKEY_sign_init(sign) > 0 &&
                EVP_PKEY_CTX_set_rsa_padding(sign, RSA_PKCS1_PADDING) > 0 &&
                EVP_PKEY_CTX_set_signature_md(sign, EVP_sha256()) > 0 &&
                EVP_PKEY_sign(sign, signature, &len, digest, sizeof digest) > 0;
    EVP_PKEY_CTX_free(sign);
    if (!made || smfi_insheader(ctx, 1, (char *)"DKIM-Signature", value) != MI_SUCCESS)
        return SMFIS_TEMPFAIL;
    return SMFIS_CONTINUE;
}

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long protocol,
                             unsigned long unused2, unsigned long unused3,
                             unsigned long *actions_out, unsigned long *protocol_out,
                             unsigned long *unused2_out, unsigned long *unused3_out)
{
    unsigned long wanted = SMFIP_NR_HDR | SMFIP_NR_EOH | SMFIP_NR_BODY | SMFIP_HDR_LEADSPC;
    (void)ctx, (void)actions, (void)unused2, (void)unused3;
    if (!tcp)
        wanted |= SMFIP_NOHELO | SMFIP_NORCPT | SMFIP_NODATA | SMFIP_NOUNKNOWN | SMFIP_NR_CONN |
                  SMFIP_NR_MAIL;
    *actions_out = SMFIF_ADDHDRS;
    *protocol_out = protocol & wanted;
    *unused2_out = *unused3_out = 0;
    return SMFIS_CONTINUE;
}

static sfsistat on_connect(SMFICTX *ctx, char *name, struct sockaddr *address)
{
    (void)ctx, (void)name, (void)address;
    return tcp ? SMFIS_CONTINUE : SMFIS_NOREPLY;
}

static sfsistat on_text(SMFICTX *ctx, char *text)
{
    (void)ctx, (void)text;
    return SMFIS_CONTINUE;
}

static sfsistat on_mail(SMFICTX *ctx, char **arguments)
{
    (void)ctx, (void)arguments;
    return tcp ? SMFIS_CONTINUE : SMFIS_NOREPLY;
}

static sfsistat on_recipient(SMFICTX *ctx, char **arguments)
{
    (void)ctx, (void)arguments;
    return SMFIS_CONTINUE;
}

static sfsistat on_data(SMFICTX *ctx)
{
    (void)ctx;
    return SMFIS_CONTINUE;
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *text)
{
    (void)ctx, (void)name, (void)text;
    return SMFIS_NOREPLY;
}

static sfsistat on_end_of_header(SMFICTX *ctx)
{
    (void)ctx;
    return SMFIS_NOREPLY;
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *data, size_t len)
{
    (void)ctx, (void)data, (void)len;
    return SMFIS_NOREPLY;
}

static void fill_value(void)
{
    memset(value, 'x', sizeof value - 1);
    value[0] = ' ';
    for (size_t i = 76; i + 1 < sizeof value - 1; i += 76) {
        value[i] = '\n';
        value[i + 1] = '\t';
    }
}

static bool set_up(char *socket)
{
    struct smfiDesc filter = {
        .xxfi_name = (char *)"floor",
        .xxfi_version = SMFI_VERSION,
        .xxfi_flags = SMFIF_ADDHDRS,
        .xxfi_negotiate = on_negotiate,
        .xxfi_connect = on_connect,
        .xxfi_helo = on_text,
        .xxfi_envfrom = on_mail,
        .xxfi_envrcpt = on_recipient,
        .xxfi_data = on_data,
        .xxfi_header = on_header,
        .xxfi_eoh = on_end_of_header,
        .xxfi_body = on_body,
        .xxfi_eom = on_end_of_message,
    };
    tcp = strncmp(socket, "inet", 4) == 0;
    fill_value();
    key = EVP_RSA_gen(2048);
    return key != NULL && smfi_setbacklog(1024) == MI_SUCCESS &&
           smfi_setconn(socket) == MI_SUCCESS && smfi_register(filter) == MI_SUCCESS &&
           smfi_opensocket(true) == MI_SUCCESS;
}

static void tune(void)
{
    int on = 1;
    for (int fd = 3; fd < 64; fd++) {
        int listening = 0;
        socklen_t len = sizeof listening;
        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) != 0 || !listening)
            continue;
        fcntl(fd, F_SETFL, O_NONBLOCK);
        if (tcp)
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
}

static void run(long processes)
{
    pid_t pids[PROCESSES_MAX];
    for (long i = 0; i < processes; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            _exit(smfi_main());
        }
        printf("%d\n", pids[i]);
    }
    fflush(stdout);
    for (long i = 0; i < processes; i++)
        waitpid(pids[i], NULL, 0);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"socket", required_argument, NULL, 's'},
        {"processes", required_argument, NULL, 'n'},
        {NULL, 0, NULL, 0},
    };
    char *socket = NULL;
    long processes = 2;
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 's')
            socket = optarg;
        if (option == 'n')
            processes = strtol(optarg, NULL, 10);
    }
    if (socket == NULL || processes < 1 || processes > PROCESSES_MAX) {
        fputs("usage: bench_floor --socket S [--processes N]\n", stderr);
        return 2;
    }
    if (!set_up(socket)) {
        fprintf(stderr, "bench_floor: cannot listen on %s\n", socket);
        return 70;
    }
    tune();
    run(processes);
    return 0;
}
