/* SPDX-License-Identifier: GPL-3.0-or-later */
/* openapi_router.h - packaging/openapi/router.json: what stewardd's control socket has besides
 * what every node has. Zero-terminated. */
#pragma once

extern const char openapi_router[];
