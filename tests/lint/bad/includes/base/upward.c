/* SPDX-License-Identifier: Apache-2.0 */
#include "dkim/canon.h"
#include "base/bytes.h"
