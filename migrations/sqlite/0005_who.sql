-- SPDX-License-Identifier: Apache-2.0
--
-- Who may sign as whom: what tenants want otherwise than the settings, rules and grants with the
-- name ("place") that they are looked up by, and keys that only rules sign with.

ALTER TABLE "tenant" ADD COLUMN "on_no_key" TEXT NOT NULL DEFAULT 'auto'
    CHECK ("on_no_key" IN ('auto', 'tempfail', 'unsigned', 'provider'));
ALTER TABLE "tenant" ADD COLUMN "subdomains" INTEGER NOT NULL DEFAULT 0
    CHECK ("subdomains" IN (0, 1));
ALTER TABLE "tenant" ADD COLUMN "canonicalization" TEXT NOT NULL DEFAULT '';
ALTER TABLE "tenant" ADD COLUMN "expiry" INTEGER NOT NULL DEFAULT -1;
ALTER TABLE "tenant" ADD COLUMN "headers" TEXT NOT NULL DEFAULT '';
ALTER TABLE "tenant" ADD COLUMN "oversign" TEXT NOT NULL DEFAULT '';
ALTER TABLE "tenant" ADD COLUMN "also_provider" INTEGER NOT NULL DEFAULT 0
    CHECK ("also_provider" IN (0, 1));
ALTER TABLE "tenant" ADD COLUMN "one_signature" INTEGER NOT NULL DEFAULT 0
    CHECK ("one_signature" IN (0, 1));
ALTER TABLE "tenant" ADD COLUMN "ed25519" TEXT NOT NULL DEFAULT 'on'
    CHECK ("ed25519" IN ('on', 'off'));

ALTER TABLE "key" ADD COLUMN "reserved" INTEGER NOT NULL DEFAULT 0
    CHECK ("reserved" IN (0, 1));
-- Never two active keys of one algorithm that sign by themselves.
DROP INDEX "key_active";
CREATE UNIQUE INDEX "key_active" ON "key" ("domain", "algorithm")
    WHERE "state" = 'active' AND "reserved" = 0;

-- No program has made any of these until now.
DROP TABLE "rule";
CREATE TABLE "rule" (
    "pattern"  TEXT    NOT NULL,
    "domain"   TEXT    NOT NULL REFERENCES "domain" ("name"),
    "selector" TEXT    NOT NULL DEFAULT '',
    "identity" TEXT    NOT NULL DEFAULT '',
    "place"    TEXT    NOT NULL CHECK ("place" <> ''),
    "created"  INTEGER NOT NULL,
    "updated"  INTEGER NOT NULL,
    "version"  INTEGER NOT NULL CHECK ("version" > 0),
    PRIMARY KEY ("pattern", "domain")
) STRICT, WITHOUT ROWID;
CREATE INDEX "rule_by_place" ON "rule" ("place");
CREATE INDEX "rule_by_domain" ON "rule" ("domain");

DROP TABLE "grant";
CREATE TABLE "grant" (
    "type"          TEXT    NOT NULL CHECK ("type" IN ('login', 'network', 'daemon')),
    "subject"       TEXT    NOT NULL,
    "tenant"        TEXT    NOT NULL REFERENCES "tenant" ("name"),
    "one_signature" INTEGER NOT NULL DEFAULT 0 CHECK ("one_signature" IN (0, 1)),
    "place"         TEXT    NOT NULL CHECK ("place" <> ''),
    "created"       INTEGER NOT NULL,
    "updated"       INTEGER NOT NULL,
    "version"       INTEGER NOT NULL CHECK ("version" > 0),
    PRIMARY KEY ("type", "subject")
) STRICT, WITHOUT ROWID;
CREATE INDEX "grant_by_place" ON "grant" ("place");
CREATE INDEX "grant_by_tenant" ON "grant" ("tenant");
-- Only what has the type of the other places is found by an index.
CREATE INDEX "tenant_by_place" ON "tenant" (CAST('tenant#' || "name" AS TEXT));

-- All that signing needs of a domain: its active keys, still sealed.
DROP VIEW "signing";
CREATE VIEW "signing" AS
SELECT
    d."name" AS "domain_name", d."tenant" AS "domain_tenant", d."status" AS "domain_status",
    d."subdomains" AS "domain_subdomains", d."canonicalization" AS "domain_canonicalization",
    d."expiry" AS "domain_expiry", d."note" AS "domain_note", d."created" AS "domain_created",
    d."updated" AS "domain_updated", d."version" AS "domain_version", t."name" AS "tenant_name",
    t."status" AS "tenant_status", t."note" AS "tenant_note", t."created" AS "tenant_created",
    t."updated" AS "tenant_updated", t."version" AS "tenant_version", k."domain" AS "key_domain",
    k."selector" AS "key_selector", k."algorithm" AS "key_algorithm", k."bits" AS "key_bits",
    k."state" AS "key_state", k."public_key" AS "key_public_key", k."kek" AS "key_kek",
    k."sealed" AS "key_sealed", k."created" AS "key_created", k."published" AS "key_published",
    k."activated" AS "key_activated", k."retired" AS "key_retired", k."revoked" AS "key_revoked",
    k."destroyed" AS "key_destroyed", k."updated" AS "key_updated", k."version" AS "key_version",
    t."on_unpublished" AS "tenant_on_unpublished", t."algorithms" AS "tenant_algorithms",
    t."max_age" AS "tenant_max_age", t."soak" AS "tenant_soak", t."overlap" AS "tenant_overlap",
    t."tombstone" AS "tenant_tombstone", t."freeze" AS "tenant_freeze",
    d."algorithms" AS "domain_algorithms",
    d."max_age" AS "domain_max_age", d."soak" AS "domain_soak", d."overlap" AS "domain_overlap",
    d."tombstone" AS "domain_tombstone",
    d."freeze" AS "domain_freeze", k."shown" AS "key_shown", k."checked" AS "key_checked",
    k."ttl" AS "key_ttl", k."due" AS "key_due", d."delegation" AS "domain_delegation",
    k."target" AS "key_target",
    t."on_no_key" AS "tenant_on_no_key", t."subdomains" AS "tenant_subdomains",
    t."canonicalization" AS "tenant_canonicalization", t."expiry" AS "tenant_expiry",
    t."headers" AS "tenant_headers", t."oversign" AS "tenant_oversign",
    t."also_provider" AS "tenant_also_provider", t."one_signature" AS "tenant_one_signature",
    t."ed25519" AS "tenant_ed25519", k."reserved" AS "key_reserved"
FROM "domain" d
JOIN "tenant" t ON t."name" = d."tenant"
LEFT JOIN "key" k ON k."domain" = d."name" AND k."state" = 'active';

-- All that signing needs, by the name that it is looked up by: each row is a key of a domain (or a
-- domain without any), a rule, a grant, or a tenant by itself.
CREATE VIEW "place" AS
SELECT
    s."domain_name" AS "place", s."domain_name", s."domain_tenant", s."domain_status",
    s."domain_delegation", s."domain_subdomains", s."domain_canonicalization", s."domain_expiry",
    s."domain_algorithms", s."domain_max_age", s."domain_soak", s."domain_overlap",
    s."domain_tombstone", s."domain_freeze", s."domain_note", s."domain_created",
    s."domain_updated", s."domain_version", s."tenant_name", s."tenant_status",
    s."tenant_on_unpublished", s."tenant_on_no_key", s."tenant_subdomains",
    s."tenant_canonicalization", s."tenant_expiry", s."tenant_headers", s."tenant_oversign",
    s."tenant_also_provider", s."tenant_one_signature", s."tenant_ed25519", s."tenant_algorithms",
    s."tenant_max_age", s."tenant_soak", s."tenant_overlap", s."tenant_tombstone",
    s."tenant_freeze", s."tenant_note", s."tenant_created", s."tenant_updated", s."tenant_version",
    s."key_domain", s."key_selector", s."key_algorithm", s."key_bits", s."key_state",
    s."key_reserved", s."key_public_key", s."key_target", s."key_kek", s."key_sealed",
    s."key_created", s."key_published", s."key_activated", s."key_retired", s."key_revoked",
    s."key_destroyed", s."key_shown", s."key_checked", s."key_ttl", s."key_due", s."key_updated",
    s."key_version", NULL AS "rule_pattern", NULL AS "rule_domain", NULL AS "rule_selector",
    NULL AS "rule_identity", NULL AS "rule_place", NULL AS "rule_created", NULL AS "rule_updated",
    NULL AS "rule_version", NULL AS "grant_type", NULL AS "grant_subject", NULL AS "grant_tenant",
    NULL AS "grant_one_signature", NULL AS "grant_place", NULL AS "grant_created",
    NULL AS "grant_updated", NULL AS "grant_version"
FROM "signing" s
UNION ALL
SELECT
    r."place", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    r."pattern", r."domain", r."selector", r."identity", r."place", r."created", r."updated",
    r."version", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM "rule" r
UNION ALL
SELECT
    g."place", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, g."type", g."subject", g."tenant", g."one_signature",
    g."place", g."created", g."updated", g."version"
FROM "grant" g
UNION ALL
SELECT
    CAST('tenant#' || t."name" AS TEXT), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL, t."name", t."status", t."on_unpublished", t."on_no_key",
    t."subdomains", t."canonicalization", t."expiry", t."headers", t."oversign", t."also_provider",
    t."one_signature", t."ed25519", t."algorithms", t."max_age", t."soak", t."overlap",
    t."tombstone", t."freeze", t."note", t."created", t."updated", t."version", NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL
FROM "tenant" t;

-- With the newest position of the change feed as the row of a name that nothing has.
CREATE VIEW "place_now" AS
SELECT NULL AS "position", p.* FROM "place" p
UNION ALL
SELECT
    (SELECT coalesce(max("position"), 0) FROM "change"), '',
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL;
