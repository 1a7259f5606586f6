/* SPDX-License-Identifier: GPL-3.0-or-later */
/* answer.h - makes the JSON by which the control socket shows rows of the registry, without
 * secrets.
 */
#pragma once

#include <cjson/cJSON.h>

#include "conductor/registry/registry_audit.h"
#include "conductor/registry/registry_enrolment.h"
#include "conductor/registry/registry_labels.h"
#include "conductor/registry/registry_nodes.h"
#include "conductor/registry/registry_routers.h"
#include "conductor/registry/registry_tokens.h"

/* nodes and labels may be those of all routers: only those of this router are added. */
cJSON *answer_router(const struct registry_router *router, const struct registry_node *nodes,
		     size_t n_nodes, const struct registry_label *labels, size_t n_labels);
cJSON *answer_node(const struct registry_node *node);
cJSON *answer_token(const struct registry_token *token, int64_t now_s);
cJSON *answer_enrolment(const struct registry_enrolment *enrolment);
cJSON *answer_audit(const struct registry_audit_row *row);
