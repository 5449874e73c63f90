-- SPDX-License-Identifier: Apache-2.0
--
-- The kinds of storage/model.c as tables. Times are seconds since 1970 (0: never), enums their
-- names, private keys sealed envelopes. Rules that must hold even against two operators at once
-- stand here as constraints, not only in the program.

CREATE TABLE "tenant" (
    "name"    TEXT    NOT NULL PRIMARY KEY,
    "status"  TEXT    NOT NULL CHECK ("status" IN ('active', 'suspended')),
    "note"    TEXT    NOT NULL DEFAULT '',
    "created" INTEGER NOT NULL,
    "updated" INTEGER NOT NULL,
    "version" INTEGER NOT NULL CHECK ("version" > 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE "domain" (
    "name"             TEXT    NOT NULL PRIMARY KEY,
    "tenant"           TEXT    NOT NULL REFERENCES "tenant" ("name"),
    "status"           TEXT    NOT NULL CHECK ("status" IN ('active', 'suspended')),
    "subdomains"       INTEGER NOT NULL CHECK ("subdomains" IN (0, 1)),
    "canonicalization" TEXT    NOT NULL DEFAULT '',
    "expiry"           INTEGER NOT NULL DEFAULT -1,
    "note"             TEXT    NOT NULL DEFAULT '',
    "created"          INTEGER NOT NULL,
    "updated"          INTEGER NOT NULL,
    "version"          INTEGER NOT NULL CHECK ("version" > 0)
) STRICT, WITHOUT ROWID;

CREATE INDEX "domain_by_tenant" ON "domain" ("tenant", "name");

CREATE TABLE "key" (
    "domain"     TEXT    NOT NULL REFERENCES "domain" ("name"),
    "selector"   TEXT    NOT NULL,
    "algorithm"  TEXT    NOT NULL CHECK ("algorithm" IN ('rsa-sha256', 'ed25519-sha256')),
    "bits"       INTEGER NOT NULL,
    "state"      TEXT    NOT NULL CHECK ("state" IN ('staged', 'published', 'active', 'retiring',
                                                     'revoked', 'destroyed')),
    "public_key" BLOB    NOT NULL,
    "kek"        TEXT    NOT NULL DEFAULT '',
    "sealed"     BLOB    NOT NULL DEFAULT x'',
    "created"    INTEGER NOT NULL,
    "published"  INTEGER NOT NULL DEFAULT 0,
    "activated"  INTEGER NOT NULL DEFAULT 0,
    "retired"    INTEGER NOT NULL DEFAULT 0,
    "revoked"    INTEGER NOT NULL DEFAULT 0,
    "destroyed"  INTEGER NOT NULL DEFAULT 0,
    "updated"    INTEGER NOT NULL,
    "version"    INTEGER NOT NULL CHECK ("version" > 0),
    PRIMARY KEY ("domain", "selector"),
    -- What may sign has a private half, what no longer signs has none.
    CHECK (("state" IN ('staged', 'published', 'active')) = (length("sealed") > 0))
) STRICT, WITHOUT ROWID;

-- Never two active keys of one algorithm.
CREATE UNIQUE INDEX "key_active" ON "key" ("domain", "algorithm") WHERE "state" = 'active';
CREATE INDEX "key_by_kek" ON "key" ("kek", "domain", "selector");

CREATE TABLE "rule" (
    "pattern"  TEXT    NOT NULL PRIMARY KEY,
    "domain"   TEXT    NOT NULL REFERENCES "domain" ("name"),
    "selector" TEXT    NOT NULL DEFAULT '',
    "identity" TEXT    NOT NULL DEFAULT '',
    "created"  INTEGER NOT NULL,
    "updated"  INTEGER NOT NULL,
    "version"  INTEGER NOT NULL CHECK ("version" > 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE "grant" (
    "type"    TEXT    NOT NULL CHECK ("type" IN ('login', 'network', 'daemon')),
    "subject" TEXT    NOT NULL,
    "tenant"  TEXT    NOT NULL REFERENCES "tenant" ("name"),
    "created" INTEGER NOT NULL,
    "updated" INTEGER NOT NULL,
    "version" INTEGER NOT NULL CHECK ("version" > 0),
    PRIMARY KEY ("type", "subject")
) STRICT, WITHOUT ROWID;

-- Audit events: only ever added.
CREATE TABLE "event" (
    "id"      INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "time"    INTEGER NOT NULL,
    "actor"   TEXT    NOT NULL,
    "action"  TEXT    NOT NULL,
    "kind"    TEXT    NOT NULL,
    "name"    TEXT    NOT NULL,
    "tenant"  TEXT    NOT NULL DEFAULT '',
    "detail"  TEXT    NOT NULL DEFAULT '',
    "version" INTEGER NOT NULL
) STRICT;

CREATE TRIGGER "event_no_update" BEFORE UPDATE ON "event"
BEGIN SELECT raise(ABORT, 'audit events are never changed'); END;
CREATE TRIGGER "event_no_delete" BEFORE DELETE ON "event"
BEGIN SELECT raise(ABORT, 'audit events are never removed'); END;

-- The change feed: names whose cached profiles are out of date.
CREATE TABLE "change" (
    "position" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "kind"     TEXT    NOT NULL,
    "name"     TEXT    NOT NULL,
    "time"     INTEGER NOT NULL,
    "version"  INTEGER NOT NULL
) STRICT;

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
    k."destroyed" AS "key_destroyed", k."updated" AS "key_updated", k."version" AS "key_version"
FROM "domain" d
JOIN "tenant" t ON t."name" = d."tenant"
LEFT JOIN "key" k ON k."domain" = d."name" AND k."state" = 'active';
