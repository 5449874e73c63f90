-- SPDX-License-Identifier: Apache-2.0
--
-- "Was this selector ever used", "who has changed that domain": without reading the whole log.

CREATE INDEX "event_by_name" ON "event" ("kind", "name");
