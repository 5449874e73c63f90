-- SPDX-License-Identifier: Apache-2.0
--
-- The life of keys: policy that tenants and domains have otherwise than the settings, what DNS was
-- seen to show of a key and when its life goes on, and who alone makes it go on.

ALTER TABLE "tenant" ADD COLUMN "on_unpublished" TEXT NOT NULL DEFAULT 'sign'
    CHECK ("on_unpublished" IN ('sign', 'provider', 'unsigned'));
ALTER TABLE "tenant" ADD COLUMN "algorithms" TEXT NOT NULL DEFAULT '';
ALTER TABLE "tenant" ADD COLUMN "max_age" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "tenant" ADD COLUMN "soak" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "tenant" ADD COLUMN "overlap" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "tenant" ADD COLUMN "tombstone" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "tenant" ADD COLUMN "freeze" TEXT NOT NULL DEFAULT '';

ALTER TABLE "domain" ADD COLUMN "algorithms" TEXT NOT NULL DEFAULT '';
ALTER TABLE "domain" ADD COLUMN "max_age" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "domain" ADD COLUMN "soak" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "domain" ADD COLUMN "overlap" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "domain" ADD COLUMN "tombstone" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "domain" ADD COLUMN "freeze" TEXT NOT NULL DEFAULT '';

ALTER TABLE "key" ADD COLUMN "shown" TEXT NOT NULL DEFAULT 'unknown'
    CHECK ("shown" IN ('unknown', 'right', 'missing', 'wrong'));
ALTER TABLE "key" ADD COLUMN "checked" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "key" ADD COLUMN "ttl" INTEGER NOT NULL DEFAULT 0;
ALTER TABLE "key" ADD COLUMN "due" INTEGER NOT NULL DEFAULT 0;

-- Delegated domains: what the targets of their CNAMEs are named by, and at which of them the record
-- of a key stands.
ALTER TABLE "domain" ADD COLUMN "delegation" TEXT NOT NULL DEFAULT '';
ALTER TABLE "key" ADD COLUMN "target" TEXT NOT NULL DEFAULT '';

-- "Which keys are due": without reading those that are not.
CREATE INDEX "key_by_due" ON "key" ("due") WHERE "due" > 0;
-- Each is looked at once.
UPDATE "key" SET "due" = 1 WHERE "state" <> 'destroyed';

CREATE TABLE "lease" (
    "name"    TEXT NOT NULL PRIMARY KEY,
    "holder"  TEXT NOT NULL DEFAULT '',
    "until"   INTEGER NOT NULL DEFAULT 0,
    "created" INTEGER NOT NULL,
    "updated" INTEGER NOT NULL,
    "version" INTEGER NOT NULL CHECK ("version" > 0)
) STRICT, WITHOUT ROWID;

DROP VIEW "signing";
-- All that signing needs, and nothing else: the active keys of a domain, still sealed.
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
    k."target" AS "key_target"
FROM "domain" d
JOIN "tenant" t ON t."name" = d."tenant"
LEFT JOIN "key" k ON k."domain" = d."name" AND k."state" = 'active';
