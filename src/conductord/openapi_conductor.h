/* SPDX-License-Identifier: GPL-3.0-or-later */
/* openapi_conductor.h - packaging/openapi/conductor.json: what conductord's control socket has
 * besides what every node has. Zero-terminated. */
#pragma once

extern const char openapi_conductor[];
