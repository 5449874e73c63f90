-- SPDX-License-Identifier: Apache-2.0
--
-- Who may sign as whom: what tenants want otherwise than the settings, rules and grants with the
-- name ("place") that they are looked up by, and keys that only rules sign with.

ALTER TABLE "tenant" ADD COLUMN "on_no_key" TEXT COLLATE "C" NOT NULL DEFAULT 'auto'
    CHECK ("on_no_key" IN ('auto', 'tempfail', 'unsigned', 'provider'));
ALTER TABLE "tenant" ADD COLUMN "subdomains" BIGINT NOT NULL DEFAULT 0
    CHECK ("subdomains" IN (0, 1));
ALTER TABLE "tenant" ADD COLUMN "canonicalization" TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE "tenant" ADD COLUMN "expiry" BIGINT NOT NULL DEFAULT -1;
ALTER TABLE "tenant" ADD COLUMN "headers" TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE "tenant" ADD COLUMN "oversign" TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE "tenant" ADD COLUMN "also_provider" BIGINT NOT NULL DEFAULT 0
    CHECK ("also_provider" IN (0, 1));
ALTER TABLE "tenant" ADD COLUMN "one_signature" BIGINT NOT NULL DEFAULT 0
    CHECK ("one_signature" IN (0, 1));
ALTER TABLE "tenant" ADD COLUMN "ed25519" TEXT COLLATE "C" NOT NULL DEFAULT 'on'
    CHECK ("ed25519" IN ('on', 'off'));

ALTER TABLE "key" ADD COLUMN "reserved" BIGINT NOT NULL DEFAULT 0
    CHECK ("reserved" IN (0, 1));
-- Never two active keys of one algorithm that sign by themselves.
DROP INDEX "key_active";
CREATE UNIQUE INDEX "key_active" ON "key" ("domain", "algorithm")
    WHERE "state" = 'active' AND "reserved" = 0;

-- No program has made any of these until now.
ALTER TABLE "rule" DROP CONSTRAINT "rule_pkey";
ALTER TABLE "rule" ADD PRIMARY KEY ("pattern", "domain");
ALTER TABLE "rule" ADD COLUMN "place" TEXT COLLATE "C" NOT NULL CHECK ("place" <> '');
CREATE INDEX "rule_by_place" ON "rule" ("place");
CREATE INDEX "rule_by_domain" ON "rule" ("domain");
ALTER TABLE "grant" ADD COLUMN "one_signature" BIGINT NOT NULL DEFAULT 0
    CHECK ("one_signature" IN (0, 1));
ALTER TABLE "grant" ADD COLUMN "place" TEXT COLLATE "C" NOT NULL CHECK ("place" <> '');
CREATE INDEX "grant_by_place" ON "grant" ("place");
CREATE INDEX "grant_by_tenant" ON "grant" ("tenant");

-- All that signing needs of a domain: its active keys, still sealed.
CREATE OR REPLACE VIEW "signing" AS
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
-- domain without any), a rule, or a grant.
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
    s."key_version", NULL::text AS "rule_pattern", NULL::text AS "rule_domain",
    NULL::text AS "rule_selector", NULL::text AS "rule_identity", NULL::text AS "rule_place",
    NULL::bigint AS "rule_created", NULL::bigint AS "rule_updated", NULL::bigint AS "rule_version",
    NULL::text AS "grant_type", NULL::text AS "grant_subject", NULL::text AS "grant_tenant",
    NULL::bigint AS "grant_one_signature", NULL::text AS "grant_place",
    NULL::bigint AS "grant_created", NULL::bigint AS "grant_updated",
    NULL::bigint AS "grant_version"
FROM "signing" s
UNION ALL
SELECT
    r."place", NULL::text, NULL::text, NULL::text, NULL::text, NULL::bigint, NULL::text,
    NULL::bigint, NULL::text, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::text,
    NULL::text, NULL::bigint, NULL::bigint, NULL::bigint, NULL::text, NULL::text, NULL::text,
    NULL::text, NULL::bigint, NULL::text, NULL::bigint, NULL::text, NULL::text, NULL::bigint,
    NULL::bigint, NULL::text, NULL::text, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint,
    NULL::text, NULL::text, NULL::bigint, NULL::bigint, NULL::bigint, NULL::text, NULL::text,
    NULL::text, NULL::bigint, NULL::text, NULL::bigint, NULL::bytea, NULL::text, NULL::text,
    NULL::bytea, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint,
    NULL::text, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, r."pattern",
    r."domain", r."selector", r."identity", r."place", r."created", r."updated", r."version",
    NULL::text, NULL::text, NULL::text, NULL::bigint, NULL::text, NULL::bigint, NULL::bigint,
    NULL::bigint
FROM "rule" r
UNION ALL
SELECT
    g."place", NULL::text, NULL::text, NULL::text, NULL::text, NULL::bigint, NULL::text,
    NULL::bigint, NULL::text, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::text,
    NULL::text, NULL::bigint, NULL::bigint, NULL::bigint, NULL::text, NULL::text, NULL::text,
    NULL::text, NULL::bigint, NULL::text, NULL::bigint, NULL::text, NULL::text, NULL::bigint,
    NULL::bigint, NULL::text, NULL::text, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint,
    NULL::text, NULL::text, NULL::bigint, NULL::bigint, NULL::bigint, NULL::text, NULL::text,
    NULL::text, NULL::bigint, NULL::text, NULL::bigint, NULL::bytea, NULL::text, NULL::text,
    NULL::bytea, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint,
    NULL::text, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::text,
    NULL::text, NULL::text, NULL::text, NULL::text, NULL::bigint, NULL::bigint, NULL::bigint,
    g."type", g."subject", g."tenant", g."one_signature", g."place", g."created", g."updated",
    g."version"
FROM "grant" g;

-- A tenant by itself. Apart from the others, because few look-ups want one.
CREATE VIEW "place_tenant" AS
SELECT
    'tenant#' || t."name" AS "place", NULL::text AS "domain_name", NULL::text AS "domain_tenant",
    NULL::text AS "domain_status", NULL::text AS "domain_delegation",
    NULL::bigint AS "domain_subdomains", NULL::text AS "domain_canonicalization",
    NULL::bigint AS "domain_expiry", NULL::text AS "domain_algorithms",
    NULL::bigint AS "domain_max_age", NULL::bigint AS "domain_soak",
    NULL::bigint AS "domain_overlap", NULL::bigint AS "domain_tombstone",
    NULL::text AS "domain_freeze", NULL::text AS "domain_note", NULL::bigint AS "domain_created",
    NULL::bigint AS "domain_updated", NULL::bigint AS "domain_version", t."name" AS "tenant_name",
    t."status" AS "tenant_status", t."on_unpublished" AS "tenant_on_unpublished",
    t."on_no_key" AS "tenant_on_no_key", t."subdomains" AS "tenant_subdomains",
    t."canonicalization" AS "tenant_canonicalization", t."expiry" AS "tenant_expiry",
    t."headers" AS "tenant_headers", t."oversign" AS "tenant_oversign",
    t."also_provider" AS "tenant_also_provider", t."one_signature" AS "tenant_one_signature",
    t."ed25519" AS "tenant_ed25519", t."algorithms" AS "tenant_algorithms",
    t."max_age" AS "tenant_max_age", t."soak" AS "tenant_soak", t."overlap" AS "tenant_overlap",
    t."tombstone" AS "tenant_tombstone", t."freeze" AS "tenant_freeze", t."note" AS "tenant_note",
    t."created" AS "tenant_created", t."updated" AS "tenant_updated",
    t."version" AS "tenant_version", NULL::text AS "key_domain", NULL::text AS "key_selector",
    NULL::text AS "key_algorithm", NULL::bigint AS "key_bits", NULL::text AS "key_state",
    NULL::bigint AS "key_reserved", NULL::bytea AS "key_public_key", NULL::text AS "key_target",
    NULL::text AS "key_kek", NULL::bytea AS "key_sealed", NULL::bigint AS "key_created",
    NULL::bigint AS "key_published", NULL::bigint AS "key_activated", NULL::bigint AS "key_retired",
    NULL::bigint AS "key_revoked", NULL::bigint AS "key_destroyed", NULL::text AS "key_shown",
    NULL::bigint AS "key_checked", NULL::bigint AS "key_ttl", NULL::bigint AS "key_due",
    NULL::bigint AS "key_updated", NULL::bigint AS "key_version", NULL::text AS "rule_pattern",
    NULL::text AS "rule_domain", NULL::text AS "rule_selector", NULL::text AS "rule_identity",
    NULL::text AS "rule_place", NULL::bigint AS "rule_created", NULL::bigint AS "rule_updated",
    NULL::bigint AS "rule_version", NULL::text AS "grant_type", NULL::text AS "grant_subject",
    NULL::text AS "grant_tenant", NULL::bigint AS "grant_one_signature",
    NULL::text AS "grant_place", NULL::bigint AS "grant_created", NULL::bigint AS "grant_updated",
    NULL::bigint AS "grant_version"
FROM "tenant" t;

CREATE VIEW "place_now" AS
SELECT (SELECT coalesce(max("position"), 0) FROM "change") AS "position", p.* FROM "place" p;

-- In the place of signing_of (0002), whose comments say how, for all that stands under the names.
DROP FUNCTION "signing_of"(text[]);
DROP VIEW "signing_now";
CREATE FUNCTION "place_of"(VARIADIC "names" text[]) RETURNS SETOF "place_now"
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
AS $$
DECLARE
    "newest" bigint := (SELECT coalesce(max("position"), 0) FROM "change");
    "each" text;
    "any" boolean := false;
    "none" "place_now";
BEGIN
    FOREACH "each" IN ARRAY "names" LOOP
        CONTINUE WHEN "each" IS NULL;
        IF starts_with("each", 'tenant#') THEN
            RETURN QUERY SELECT "newest", p.* FROM "place_tenant" p
                WHERE p."tenant_name" = substr("each", 8);
        ELSE
            RETURN QUERY SELECT "newest", p.* FROM "place" p WHERE p."place" = "each";
        END IF;
        "any" := "any" OR FOUND;
    END LOOP;
    IF NOT "any" THEN
        "none"."position" := "newest";
        RETURN NEXT "none";
    END IF;
END $$;

REVOKE ALL ON FUNCTION "place_of"(text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION "place_of"(text[]) TO inkan_signer, inkan_admin;
GRANT SELECT ON "place", "place_tenant" TO inkan_signer, inkan_admin;
REVOKE SELECT ON "signing" FROM inkan_signer;
GRANT SELECT ("reserved") ON "key" TO inkan_panel;
