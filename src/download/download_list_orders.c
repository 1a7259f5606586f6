/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an operator orders: a download, its pause, its end. */
#include <errno.h>

#include "download/download_list_private.h"

static int request_again(struct download_list *list, struct download *d,
			 const struct download_request *request, struct err *err)
{
	bool force = request->force;
	enum engine_state state = download_state(d);
	bool present = repository_find(list->home.repository, d->version);

	if (!force && !engine_state_is_ended(state))
		return err_set(err, -EEXIST, "a download of %s is unfinished: it is %s", d->version,
			       engine_state_name(state));
	if (!force && present)
		return err_set(err, -EEXIST, "the image %s is present; 'force' downloads it anew",
			       d->version);
	download_sequence(d, request->sequenced);
	download_restart(d, force);
	/* The download moves to the end of the queue. */
	download_list_unlink(list, d);
	list->open--;
	download_list_append(list, d);
	return 0;
}

int download_list_request(struct download_list *list, const struct download_request *request,
			  const struct download **ret, struct err *err)
{
	const char *version = request->version;
	bool force = request->force;
	struct download *d;
	int rc;

	if (!manifest_name_is_valid(version))
		return err_set(err, -EINVAL, "'%s' is not the name of a version", version);
	if (request->sequenced && download_check_sequence(list->home.config, err) < 0)
		return err->code;
	if (claims_have(list->options.claims, version))
		return err_set(err, -EBUSY, "the image %s is just being imported or deleted",
			       version);
	d = download_list_get(list, version);
	if (d) {
		rc = request_again(list, d, request, err);
	} else if (!force && repository_find(list->home.repository, version)) {
		rc = err_set(err, -EEXIST, "the image %s is present; 'force' downloads it anew",
			     version);
	} else {
		rc = repository_make_directories(list->home.repository, err);
		if (rc == 0)
			rc = download_new(&d, &list->home, version, request->sequenced, err);
		if (rc == 0)
			download_list_append(list, d);
		if (rc == 0 && force)
			download_restart(d, true);
		if (rc == 0)
			download_list_changed(d);
	}
	if (rc == 0)
		*ret = d;
	download_list_schedule(list);
	return rc;
}

/* Finds the download of this version, unless it is in a state in which the order is refused. */
static int find_for(const struct download_list *list, const char *version, const char *what,
		    bool (*refuses)(enum engine_state state), struct download **ret,
		    struct err *err)
{
	struct download *d = download_list_get(list, version);

	if (!d)
		return err_set(err, -ENOENT, "there is no download of %s", version);
	if (d->renewing)
		return err_set(err, -EBUSY,
			       "the download of %s cannot be %s just now: what was there of it is "
			       "being discarded",
			       version, what);
	if (refuses(download_state(d)))
		return err_set(err, -EBUSY, "the download of %s cannot be %s: it is %s", version,
			       what, engine_state_name(download_state(d)));
	*ret = d;
	return 0;
}

static bool refuses_pause(enum engine_state state)
{
	return engine_state_is_ended(state) || state == ENGINE_PAUSED || state == ENGINE_FINISHING;
}

static bool refuses_resume(enum engine_state state)
{
	return state != ENGINE_PAUSED;
}

static bool refuses_cancel(enum engine_state state)
{
	return state == ENGINE_COMPLETE || state == ENGINE_CANCELLED || state == ENGINE_FINISHING;
}

static bool refuses_discard(enum engine_state state)
{
	return state == ENGINE_COMPLETE || state == ENGINE_FINISHING;
}

int download_list_pause(struct download_list *list, const char *version, struct err *err)
{
	struct download *d;
	int rc = find_for(list, version, "paused", refuses_pause, &d, err);

	if (rc == 0)
		download_pause(d);
	return rc;
}

int download_list_resume(struct download_list *list, const char *version, struct err *err)
{
	struct download *d;
	int rc = find_for(list, version, "resumed", refuses_resume, &d, err);

	if (rc == 0)
		download_resume(d);
	return rc;
}

int download_list_cancel(struct download_list *list, const char *version, bool discard,
			 struct err *err)
{
	struct download *d;
	int rc = find_for(list, version, "cancelled", discard ? refuses_discard : refuses_cancel,
			  &d, err);

	if (rc == 0)
		download_cancel(d, discard);
	return rc;
}
