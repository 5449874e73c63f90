-- SPDX-License-Identifier: Apache-2.0
--
-- Audit events are chained (storage/chain.h). Those that are there already stay without a hash:
-- they come before the chain. The roles' rights on the table hold for the column as well.

ALTER TABLE "event" ADD COLUMN "hash" TEXT COLLATE "C" NOT NULL DEFAULT '';
