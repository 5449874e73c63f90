/* SPDX-License-Identifier: Apache-2.0 */
#include "base/settings_table.h"

#include <assert.h>

#include "base/calendar.h"

#define AT(member) .offset = offsetof(struct settings, member)
#define RANGE(low, high) .least = (low), .most = (high), .allowed = low " to " high
#define WORDS(text) .words = (text), .allowed = (text)
#define YES_NO .allowed = "yes|no"

#define HOST_LIST "networks, addresses, host names and .domains, comma separated; ! excepts"
#define SERVER_LIST "host[:port], comma separated"
#define FILE_NAME "an absolute file name"

/* RFC 6376 5.4.1: what the reader of a message sees or acts on, and what threads it. Fields that
 * relays add or rewrite (Received, Return-Path, Authentication-Results) stay out. */
#define SIGNED_FIELDS                                                                              \
    "From, Sender, Reply-To, Subject, Date, To, Cc, Message-ID, In-Reply-To, References, "         \
    "MIME-Version, Content-Type, Content-Transfer-Encoding, Content-ID, Content-Description, "     \
    "Resent-Date, Resent-From, Resent-Sender, Resent-To, Resent-Cc, Resent-Message-ID, "           \
    "List-Id, List-Help, List-Unsubscribe, List-Unsubscribe-Post, List-Subscribe, List-Post, "     \
    "List-Owner, List-Archive, Autocrypt"

/* Fields that harm when somebody adds a second one on the way (RFC 6376 8.15). */
#define OVERSIGNED_FIELDS                                                                          \
    "From, Subject, To, Cc, Date, Reply-To, Content-Type, MIME-Version, List-Unsubscribe, "        \
    "List-Unsubscribe-Post"

const struct settings_entry settings_table[] = {
    {"store", "url", TYPE_TEXT, AT(store.url), .fallback = "sqlite:/var/lib/inkan/inkan.db",
     .check = settings_check_url,
     .allowed = "sqlite:/FILE, postgresql://HOST[,HOST]/NAME or ldap://HOST[,HOST]/BASE (also "
                "ldaps:// and ldapi://)",
     .help = "The store that holds tenants, domains and keys."},
    {"store", "timeout", TYPE_MILLISECONDS, AT(store.timeout_ms), .fallback = "2s",
     RANGE("10ms", "10m"), .help = "Deadline of one call to the store."},
    {"store", "connections", TYPE_NUMBER, AT(store.connections), .fallback = "4", RANGE("1", "256"),
     .help = "Connections to the store that each worker may have open."},

    {"vault", "keyring", TYPE_TEXT, AT(vault.keyring), .fallback = "/etc/inkan/keyring",
     .check = settings_check_file, .allowed = FILE_NAME,
     .help = "File with the key-encryption keys that seal the private keys. Its mode must be 0600 "
             "or stricter."},

    {"cache", "memory", TYPE_SIZE, AT(cache.memory), .fallback = "256M", RANGE("64K", "64G"),
     .help = "Memory each worker may use for parsed keys."},
    {"cache", "ttl", TYPE_MILLISECONDS, AT(cache.ttl_ms), .fallback = "5m", RANGE("0", "30d"),
     .help = "How long a domain's keys are used before the store is asked again."},
    {"cache", "negative_ttl", TYPE_MILLISECONDS, AT(cache.negative_ttl_ms), .fallback = "1m",
     RANGE("0", "30d"), .help = "How long a domain that has no key is remembered as such."},
    {"cache", "stale_ttl", TYPE_MILLISECONDS, AT(cache.stale_ttl_ms), .fallback = "24h",
     RANGE("0", "365d"),
     .help = "How long keys past their ttl still sign while the store cannot answer."},
    {"cache", "memcached", TYPE_TEXT, AT(cache.memcached), .fallback = "", .optional = true,
     .check = settings_check_memcached,
     .allowed = "host:port[:weight] or /socket[:weight], comma separated; empty: none",
     .help = "memcached servers shared by all workers and machines. What they hold is sealed."},

    {"server", "listen", TYPE_TEXT, AT(server.listen), .fallback = "inet:8891@127.0.0.1",
     .check = settings_check_socket, .allowed = "inet:PORT@HOST, inet6:PORT@HOST or unix:/PATH",
     .help = "The socket on which MTAs reach the milter."},
    {"server", "workers", TYPE_NUMBER, AT(server.workers), .fallback = "auto", .words = "auto",
     .least = "1", .most = "256", .allowed = "auto or 1 to 256",
     .help = "Worker processes; auto is one a core."},
    {"server", "user", TYPE_TEXT, AT(server.user), .fallback = "", .optional = true,
     .check = settings_check_word, .allowed = "a login name; empty: stay who started it",
     .help = "The user the workers run as when inkand is started by root."},
    {"server", "group", TYPE_TEXT, AT(server.group), .fallback = "", .optional = true,
     .check = settings_check_word, .allowed = "a group name; empty: the user's group",
     .help = "The group the workers run as and that owns a unix socket."},
    {"server", "pid_file", TYPE_TEXT, AT(server.pid_file), .fallback = "", .optional = true,
     .check = settings_check_file, .allowed = FILE_NAME "; empty: none",
     .help = "File that holds the process id of the supervisor."},
    {"server", "socket_mode", TYPE_OCTAL, AT(server.socket_mode), .fallback = "0660",
     RANGE("0000", "0777"), .help = "Access mode of a unix socket, in octal."},
    {"server", "mode", TYPE_ENUM, AT(server.mode), .fallback = "s", .words = "s|v|sv",
     .check = settings_check_mode, .allowed = "s", .help = "What is done with messages: s signs."},
    {"server", "drain", TYPE_MILLISECONDS, AT(server.drain_ms), .fallback = "30s", RANGE("0", "1h"),
     .help = "How long sessions may finish their message at a stop or reload."},

    {"sign", "canonicalization", TYPE_WORD, AT(sign.canonicalization),
     .fallback = "relaxed/relaxed",
     WORDS("relaxed/relaxed|relaxed/simple|simple/relaxed|simple/simple|relaxed|simple"),
     .help = "Canonicalization of header and body; one word alone is header/simple."},
    {"sign", "headers", TYPE_TEXT, AT(sign.headers), .fallback = SIGNED_FIELDS,
     .check = settings_check_names, .allowed = "header field names, comma separated",
     .help = "Header fields that are signed where a message has them."},
    {"sign", "oversign", TYPE_TEXT, AT(sign.oversign), .fallback = OVERSIGNED_FIELDS,
     .optional = true, .check = settings_check_names,
     .allowed = "header field names, comma separated; empty: none",
     .help = "Header fields that are signed once more than a message has them, so that nobody "
             "can add another."},
    {"sign", "expiry", TYPE_SECONDS, AT(sign.expiry_s), .fallback = "0", RANGE("0", "3650d"),
     .help = "How long a signature is good for (x=); 0 means for ever."},
    {"sign", "on_store_error", TYPE_ENUM, AT(sign.on_store_error), .fallback = "tempfail",
     WORDS("tempfail|accept"),
     .help = "What becomes of a message whose keys cannot be had: deferred, or passed on "
             "unsigned."},
    {"sign", "author", TYPE_WORD, AT(sign.author), .fallback = "from",
     WORDS("from|from,sender|from,sender,envelope"),
     .help = "Whose addresses name the signing domain, first match first: the header fields From "
             "and Sender, and the envelope sender."},
    {"sign", "provider_domain", TYPE_TEXT, AT(sign.provider_domain), .fallback = "",
     .optional = true, .check = settings_check_word, .allowed = "a domain; empty: none",
     .help = "The provider's own domain, which signs for tenants that want it (also_provider, "
             "on_no_key, on_unpublished)."},
    {"sign", "software_header", TYPE_BOOL, AT(sign.software_header), .fallback = "no", YES_NO,
     .help = "Whether an X-DKIM-Software field that names this program is added."},
    {"sign", "max_header_count", TYPE_NUMBER, AT(sign.max_header_count), .fallback = "1000",
     RANGE("10", "100000"), .help = "Header fields a message may have to be signed."},
    {"sign", "max_header_bytes", TYPE_SIZE, AT(sign.max_header_bytes), .fallback = "1M",
     RANGE("1K", "64M"), .help = "Octets the header of a message may have to be signed."},

    {"trust", "internal_hosts", TYPE_TEXT, AT(trust.internal_hosts), .fallback = "127.0.0.0/8, ::1",
     .optional = true, .check = settings_check_hosts, .allowed = HOST_LIST "; empty: none",
     .help = "Clients whose mail is signed."},
    {"trust", "authenticated", TYPE_BOOL, AT(trust.authenticated), .fallback = "yes", YES_NO,
     .help = "Whether mail of clients that logged in (SMTP AUTH) is signed."},
    {"trust", "daemon_names", TYPE_TEXT, AT(trust.daemon_names), .fallback = "ORIGINATING",
     .optional = true, .check = settings_check_names,
     .allowed = "names, comma separated; empty: none",
     .help = "Values of the MTA's {daemon_name} macro whose mail is signed."},
    {"trust", "tenant_check", TYPE_ENUM, AT(trust.tenant_check), .fallback = "enforce",
     WORDS("enforce|log|off"),
     .help = "Whether a client may sign only for domains of its own tenant; log signs, and logs "
             "what enforce would not have signed."},
    {"trust", "internal_is_provider", TYPE_BOOL, AT(trust.internal_is_provider), .fallback = "yes",
     YES_NO,
     .help =
         "Whether internal hosts and daemon_names may sign for every tenant. No, where customers "
         "share an internal host."},
    {"trust", "shadow", TYPE_TEXT, AT(trust.shadow), .fallback = "", .optional = true,
     .check = settings_check_shadow,
     .allowed = "KEY=VALUE of this section, with ; between them; empty: none",
     .help = "Other values of settings of this section: what they would change is logged, and "
             "nothing else."},
    {"trust", "exempt", TYPE_TEXT, AT(trust.exempt), .fallback = "", .optional = true,
     .check = settings_check_hosts, .allowed = HOST_LIST "; empty: none",
     .help = "Clients whose mail is passed on untouched."},

    {"verify", "authserv_id", TYPE_TEXT, AT(verify.authserv_id), .fallback = "", .optional = true,
     .dormant = true, .check = settings_check_word, .allowed = "a host name; empty: this host's",
     .help = "The name results are reported under (RFC 8601)."},
    {"verify", "nameservers", TYPE_TEXT, AT(verify.nameservers), .fallback = "", .optional = true,
     .dormant = true, .check = settings_check_servers,
     .allowed = SERVER_LIST "; empty: those of the system",
     .help = "Resolvers that are asked for the keys of others."},
    {"verify", "trust_anchor", TYPE_TEXT, AT(verify.trust_anchor), .fallback = "", .optional = true,
     .dormant = true, .check = settings_check_file, .allowed = FILE_NAME "; empty: no DNSSEC",
     .help = "The DNSSEC trust anchor."},
    {"verify", "ignore_hosts", TYPE_TEXT, AT(verify.ignore_hosts), .fallback = "", .optional = true,
     .dormant = true, .check = settings_check_hosts, .allowed = HOST_LIST "; empty: none",
     .help = "Clients whose mail is not verified."},
    {"verify", "cache", TYPE_SIZE, AT(verify.cache), .fallback = "16M", RANGE("0", "64G"),
     .dormant = true, .help = "Memory each worker may use for DNS answers."},
    {"verify", "timeout", TYPE_MILLISECONDS, AT(verify.timeout_ms), .fallback = "5s",
     RANGE("10ms", "10m"), .dormant = true, .help = "Deadline of one DNS question."},
    {"verify", "max_signatures", TYPE_NUMBER, AT(verify.max_signatures), .fallback = "10",
     RANGE("1", "100"), .help = "Signatures of one message that are looked at (inkan verify)."},
    {"verify", "minimum_bits", TYPE_NUMBER, AT(verify.minimum_bits), .fallback = "1024",
     RANGE("1024", "4096"),
     .help = "RSA keys with fewer bits verify nothing (RFC 8301; inkan verify)."},

    {"lifecycle", "algorithms", TYPE_TEXT, AT(lifecycle.algorithms), .fallback = "rsa-sha256:2048",
     .check = settings_parse_algorithms,
     .allowed = "rsa-sha256[:1024 to 4096] and ed25519-sha256, comma separated",
     .help = "A new domain gets one key of each; a message gets one signature of each."},
    {"lifecycle", "selector", TYPE_TEXT, AT(lifecycle.selector), .fallback = "{date}{alg}{n}",
     .check = settings_check_selector, .allowed = "letters, digits, hyphens, {date}, {alg} and {n}",
     .help = "How new keys are named: the day, a letter for the algorithm and a number that "
             "makes it unique."},
    {"lifecycle", "max_age", TYPE_SECONDS, AT(lifecycle.max_age_s), .fallback = "180d",
     RANGE("0", "3650d"), .help = "Age at which a key has been replaced; 0 means never."},
    {"lifecycle", "soak", TYPE_SECONDS, AT(lifecycle.soak_s), .fallback = "2h", RANGE("0", "3650d"),
     .help = "How long DNS must have shown a key before it signs; never less than the record's "
             "time to live."},
    {"lifecycle", "overlap", TYPE_SECONDS, AT(lifecycle.overlap_s), .fallback = "14d",
     RANGE("0", "3650d"), .help = "How long the record of a retired key stays in DNS."},
    {"lifecycle", "tombstone", TYPE_SECONDS, AT(lifecycle.tombstone_s), .fallback = "30d",
     RANGE("0", "3650d"), .help = "How long the empty record of a revoked key stays in DNS."},
    {"lifecycle", "check", TYPE_SECONDS, AT(lifecycle.check_s), .fallback = "1d",
     RANGE("1s", "365d"), .help = "How often DNS is asked for records that are there."},
    {"lifecycle", "retry", TYPE_SECONDS, AT(lifecycle.retry_s), .fallback = "5m", RANGE("1s", "1d"),
     .help = "How soon DNS is asked again for a record that is not there; in time more seldom."},
    {"lifecycle", "freeze", TYPE_TEXT, AT(lifecycle.freeze), .fallback = "", .optional = true,
     .check = calendar_check,
     .allowed = "DATE/DATE or each year MM-DD/MM-DD, comma separated; empty: none",
     .help = "Days on which no key is made, begins to sign, is revoked or destroyed by itself."},

    {"ldap", "bind_dn", TYPE_TEXT, AT(ldap.bind_dn), .fallback = "", .optional = true,
     .allowed = "a distinguished name; empty: anonymous", .help = "Who inkan is to the directory."},
    {"ldap", "bind_password_file", TYPE_TEXT, AT(ldap.bind_password_file), .fallback = "",
     .optional = true, .check = settings_check_file, .allowed = FILE_NAME "; empty: no password",
     .help = "File that holds the bind password."},
    {"ldap", "ca_file", TYPE_TEXT, AT(ldap.ca_file), .fallback = "", .optional = true,
     .check = settings_check_file,
     .allowed = FILE_NAME "; empty: /etc/ssl/certs/ca-certificates.crt",
     .help = "Certificates that vouch for the directory."},
    {"ldap", "sasl_mechanism", TYPE_TEXT, AT(ldap.sasl_mechanism), .fallback = "", .optional = true,
     .check = settings_check_word,
     .allowed = "a SASL mechanism such as EXTERNAL; empty: simple bind",
     .help = "How inkan proves who it is to the directory."},
    {"ldap", "starttls", TYPE_BOOL, AT(ldap.starttls), .fallback = "yes", YES_NO,
     .help = "Whether ldap:// must change to TLS before anything is said."},
    {"ldap", "referrals", TYPE_BOOL, AT(ldap.referrals), .fallback = "no", YES_NO,
     .help = "Whether inkan goes on to the servers that a server refers to, with the same account "
             "and TLS."},
    {"ldap", "allow_unsealed_keys", TYPE_BOOL, AT(ldap.allow_unsealed_keys), .fallback = "no",
     YES_NO, .help = "With map_filter: whether private keys the vault did not seal may sign."},
    {"ldap", "map_filter", TYPE_TEXT, AT(ldap.map_filter), .fallback = "", .optional = true,
     .check = settings_check_map_filter,
     .allowed = "a filter with %d (the domain) or %D (its DN, dc=example,dc=com); empty: inkan's "
                "own schema",
     .help = "Finds the entries that hold the keys of a domain in a directory with another schema "
             "than inkan's, which is then only read: (DKIMDomain=%d) for OpenDKIM's schema."},
    {"ldap", "map_domain", TYPE_TEXT, AT(ldap.map_domain), .fallback = "DKIMDomain",
     .optional = true, .check = settings_check_attribute,
     .allowed = "an attribute; empty: the entry's DN begins with the domain's dc=example,dc=com",
     .help = "With map_filter: names the domain."},
    {"ldap", "map_selector", TYPE_TEXT, AT(ldap.map_selector), .fallback = "DKIMSelector",
     .optional = true, .check = settings_check_attribute,
     .allowed = "an attribute; empty: the key's attribute has the option x-SELECTOR",
     .help = "With map_filter: names the selector."},
    {"ldap", "map_key", TYPE_TEXT, AT(ldap.map_key), .fallback = "DKIMKey",
     .check = settings_check_attribute, .allowed = "an attribute",
     .help = "With map_filter: holds the private key, as PEM or the base64 within."},
    {"ldap", "map_active", TYPE_TEXT, AT(ldap.map_active), .fallback = "DKIMActive",
     .optional = true, .check = settings_check_attribute,
     .allowed = "an attribute; empty: all are used",
     .help = "With map_filter: an entry in which it is FALSE is not used."},
    {"ldap", "map_tenant", TYPE_TEXT, AT(ldap.map_tenant), .fallback = "", .optional = true,
     .check = settings_check_attribute,
     .allowed = "an attribute; empty: each domain is a tenant of its own",
     .help = "With map_filter: names whose domain it is."},

    {"dns", "nameservers", TYPE_TEXT, AT(dns.nameservers), .fallback = "", .optional = true,
     .check = settings_check_resolvers,
     .allowed = "address[:port], comma separated, IPv6 in brackets; empty: those of the system",
     .help = "Resolvers that must have a record before it counts as published."},
    {"dns", "trust_anchor", TYPE_TEXT, AT(dns.trust_anchor), .fallback = "", .optional = true,
     .check = settings_check_file, .allowed = FILE_NAME "; empty: no DNSSEC",
     .help = "File with DNSKEY or DS records to check with (DNSSEC) which servers a zone has; "
             "Debian's dns-root-data has /usr/share/dns/root.key."},
    {"dns", "port", TYPE_NUMBER, AT(dns.port), .fallback = "53", RANGE("1", "65535"),
     .help = "Port of authoritative servers."},
    {"dns", "timeout", TYPE_MILLISECONDS, AT(dns.timeout_ms), .fallback = "5s",
     RANGE("10ms", "10m"),
     .help = "Time for one look at one record, at all its servers, or for one update."},
    {"dns", "ttl", TYPE_SECONDS, AT(dns.ttl_s), .fallback = "1h", RANGE("1s", "7d"),
     .help = "How long others may keep the records that inkan publishes or prints."},
    {"dns", "delegation_zone", TYPE_TEXT, AT(dns.delegation_zone), .fallback = "", .optional = true,
     .check = settings_check_word, .allowed = "a domain; empty: none",
     .help = "Zone of the provider that holds the key records of delegated domains: those that are "
             "added from now on."},
    {"dns", "update_server", TYPE_TEXT, AT(dns.update_server), .fallback = "", .optional = true,
     .check = settings_check_server, .allowed = "host[:port], IPv6 in brackets; empty: none",
     .help =
         "Server that takes dynamic updates (RFC 2136): the primary of the zones that inkan dns "
         "publish writes to."},
    {"dns", "tsig_key_file", TYPE_TEXT, AT(dns.tsig_key_file), .fallback = "", .optional = true,
     .check = settings_check_file, .allowed = FILE_NAME "; empty: updates are not signed",
     .help = "File with the BIND key clause that signs updates (hmac-sha256, hmac-sha384 or "
             "hmac-sha512), readable by its owner only, or root's and readable by its group."},

    {"metrics", "listen", TYPE_TEXT, AT(metrics.listen), .fallback = "127.0.0.1:9891",
     .optional = true, .dormant = true, .check = settings_check_servers,
     .allowed = "host:port; empty: off",
     .help = "Where /metrics, /healthz and /readyz are served."},

    {"log", "to", TYPE_ENUM, AT(log.to), .fallback = "syslog", WORDS("syslog|stderr|journal"),
     .help = "Where log lines go; journal is standard error with the journal's priorities."},
    {"log", "facility", TYPE_WORD, AT(log.facility), .fallback = "mail",
     WORDS("mail|daemon|user|auth|authpriv|local0|local1|local2|local3|local4|local5|local6|"
           "local7"),
     .help = "The syslog facility."},
    {"log", "level", TYPE_ENUM, AT(log.level), .fallback = "info",
     WORDS("error|warning|info|debug"), .help = "The least important lines that are written."},
    {"log", "format", TYPE_ENUM, AT(log.format), .fallback = "text", WORDS("text|json"),
     .help = "One line of text or one JSON object for each event."},
};

const size_t settings_table_count = sizeof settings_table / sizeof settings_table[0];

static_assert(sizeof settings_table / sizeof settings_table[0] <=
                  sizeof((struct settings *)0)->lines / sizeof(int),
              "struct settings has a line number for every row");
