/* SPDX-License-Identifier: GPL-3.0-or-later */
/* packaging/yang/steward.yang, as it stands, zero-terminated. */
#include "config/yang_model.h"

#include "base/embed.h"

EMBED_FILE(yang_model, YANG_MODEL_FILE);
