-- SPDX-License-Identifier: Apache-2.0
--
-- The look-up of a cold domain as a function, so that each session of the server plans it once:
-- sent as a statement it was parsed and planned for every cold message, which took two thirds of
-- its time, and prepared statements do not get through PgBouncer in transaction mode.

-- "Was this selector ever used", "who has changed that domain": without reading the whole log.
CREATE INDEX "event_by_name" ON "event" ("kind", "name");

-- The rows of the look-up: what signing needs, and the change-feed position it is true for.
CREATE VIEW "signing_now" AS
SELECT (SELECT coalesce(max("position"), 0) FROM "change") AS "position", s.* FROM "signing" s;

-- STABLE: everything in it is read in the one snapshot of the statement that calls it. Runs with
-- the rights of its caller, who needs those on "signing" and "change". A null is no name; when
-- none of the names exists there is one row that has the position alone.
--
-- One name after the other, because a plan that is kept must be good for a store that has grown
-- tenfold since: by equality it finds a domain through its primary key whatever the planner knew
-- of the tables, and with a list of names it may read the whole of an index. For the same reason
-- no plan may depend on the names, nor on the tables being small.
CREATE FUNCTION "signing_of"(VARIADIC "names" text[]) RETURNS SETOF "signing_now"
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
AS $$
DECLARE
    "newest" bigint := (SELECT coalesce(max("position"), 0) FROM "change");
    "each" text;
    "any" boolean := false;
    "none" "signing_now";
BEGIN
    FOREACH "each" IN ARRAY "names" LOOP
        CONTINUE WHEN "each" IS NULL;
        RETURN QUERY SELECT "newest", s.* FROM "signing" s WHERE s."domain_name" = "each";
        "any" := "any" OR FOUND;
    END LOOP;
    IF NOT "any" THEN
        "none"."position" := "newest";
        RETURN NEXT "none";
    END IF;
END $$;

REVOKE ALL ON FUNCTION "signing_of"(text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION "signing_of"(text[]) TO inkan_signer, inkan_admin;
