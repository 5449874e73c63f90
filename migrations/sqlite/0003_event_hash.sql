-- SPDX-License-Identifier: Apache-2.0
--
-- Audit events are chained (storage/chain.h). Those that are there already stay without a hash:
-- they come before the chain.

ALTER TABLE "event" ADD COLUMN "hash" TEXT NOT NULL DEFAULT '';
