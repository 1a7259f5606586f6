/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Loads a new configuration while the node runs: what may change, and which parts are told. */
#include <errno.h>
#include <string.h>

#include "base/log_events.h"
#include "base/macros.h"
#include "node/node_private.h"

void node_warn(const struct err *warning)
{
	if (warning->code < 0)
		log_event(LOG_CONFIGURATION_WARNING, &(struct log_fields){.reason = warning->text},
			  "%s", warning->text);
}

static int refuse_changed(const char *what, const char *old, const char *new, struct err *err)
{
	if (strcmp(old, new) == 0)
		return 0;
	return err_set(err, -EINVAL, "%s: %s cannot become %s without a restart", what, old, new);
}

static bool same_listen(const struct config_software_update *a,
			const struct config_software_update *b)
{
	if (a->n_listen != b->n_listen)
		return false;
	for (size_t i = 0; i < a->n_listen; i++)
		if (strcmp(a->listen[i].address, b->listen[i].address) != 0 ||
		    a->listen[i].port != b->listen[i].port)
			return false;
	return true;
}

/* What cannot change while the daemon runs. */
static int check_reload(const struct config *old, const struct config *new, struct err *err)
{
	int rc = refuse_changed("state-directory", old->state_directory, new->state_directory, err);

	if (rc == 0)
		rc = refuse_changed("control/socket", old->control.socket, new->control.socket,
				    err);
	if (rc == 0 && !same_listen(&old->software_update, &new->software_update))
		rc = err_set(err, -EINVAL,
			     "software-update/repository/listen cannot change without a restart");
	if (rc == 0)
		rc = bandwidth_check(&new->software_update, err);
	return rc;
}

int node_reload(struct node *n, struct err *err)
{
	_cleanup_(config_freep) struct config *config = NULL;
	struct config *old = n->config;
	struct err warning;
	int rc;

	notify_reloading();
	rc = config_load(&config, n->config_path, n->program->role, err);
	if (rc == 0 && n->program->amend)
		rc = n->program->amend(n, config, err);
	if (rc == 0)
		rc = check_reload(old, config, err);
	if (rc == 0 && n->program->check_reload)
		rc = n->program->check_reload(n, config, err);
	if (rc == 0 && n->program->renew)
		rc = n->program->renew(n, err);
	if (rc < 0) {
		log_event(LOG_CONFIGURATION_REFUSED, &(struct log_fields){.reason = err->text},
			  "configuration refused, the running one stays in force: %s", err->text);
		notify_ready();
		return -EINVAL;
	}
	n->config = config;
	config = NULL;
	bandwidth_configure(&n->bandwidth, &n->config->software_update);
	download_list_configure(n->downloads, n->config);
	peer_access_init(&n->access, &n->config->control, &warning);
	node_warn(&warning);
	if (n->program->configured)
		n->program->configured(n);
	config_free(old);
	log_event(LOG_CONFIGURATION_LOADED, NULL, "configuration loaded from %s", n->config_path);
	notify_ready();
	return 0;
}
