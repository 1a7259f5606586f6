/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/openapi_conductor.h"

#include "base/embed.h"

EMBED_FILE(openapi_conductor, OPENAPI_CONDUCTOR_FILE);
