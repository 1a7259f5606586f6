/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The map of a download's pieces, as the control socket shows it. */
#include <stdlib.h>

#include "download/download_private.h"
#include "download/engine/piece_runs.h"

static cJSON *run_to_json(const struct engine *e, const struct piece_run *run)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddNumberToObject(json, "first", run->first);
	cJSON_AddNumberToObject(json, "pieces", run->n);
	cJSON_AddNumberToObject(json, "verified", run->n_verified);
	cJSON_AddStringToObject(json, "state", piece_look_name(run->look));
	if (run->source == SOURCE_NOBODY)
		cJSON_AddNullToObject(json, "source");
	else
		cJSON_AddStringToObject(json, "source", e->sources[run->source].name);
	return json;
}

cJSON *download_pieces_to_json(const struct download *d)
{
	const struct engine *e = &d->engine;
	struct piece_runs *runs = malloc(sizeof(*runs));
	cJSON *json;
	cJSON *array;

	if (!runs)
		return NULL;
	piece_runs_read(e, runs);
	json = cJSON_CreateObject();
	cJSON_AddStringToObject(json, "version", d->version);
	cJSON_AddStringToObject(json, "state", engine_state_name(download_state(d)));
	cJSON_AddNumberToObject(json, "pieces", e->has_image ? e->picker.n_pieces : 0);
	cJSON_AddNumberToObject(json, "piece-size", e->has_image ? e->picker.piece_size : 0);
	cJSON_AddNumberToObject(json, "grain", runs->grain);
	array = cJSON_AddArrayToObject(json, "ranges");
	for (size_t i = 0; i < runs->n; i++)
		cJSON_AddItemToArray(array, run_to_json(e, &runs->runs[i]));
	free(runs);
	return json;
}
