/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/router_due.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/macros.h"
#include "conductor/registry/registry_initialization.h"
#include "conductor/registry/registry_secrets_store.h"
#include "conductord/router_secrets.h"

#define KEYS_TEXT_MAX BASE64_LENGTH(SEALING_LIST_MAX)

static bool asks_keys(const struct router_due_question *question,
		      const struct router_message *message)
{
	if (question->has_no_keys)
		return false;
	return message->lacks_keys || (message->has_secrets && !question->has_asked);
}

/* The claim is the last: who has it must be able to send. */
static int claim(const struct router_due_question *question, const struct registry_origin *origin,
		 const struct router_message *message, struct router_due *due, struct err *err)
{
	enum registry_claim claim = REGISTRY_CLAIM_FINISHED;
	int rc = registry_initialization_claim(question->registry, question->who, origin, &claim,
					       err);

	if (rc < 0)
		return rc;
	due->waits = claim == REGISTRY_CLAIM_OTHERS;
	due->initializes = claim == REGISTRY_CLAIM_OURS;
	if (due->initializes || (!due->waits && message->is_written))
		due->body = message->body;
	return 0;
}

static int judge(const struct router_due_question *question, const struct registry_origin *origin,
		 const struct router_message *message, struct router_due *due, struct err *err)
{
	due->asks_keys = asks_keys(question, message);
	if (due->asks_keys)
		return 0;
	if (message->body)
		return claim(question, origin, message, due, err);
	if (question->has_no_keys)
		return err_set(err, -ENOKEY,
			       "its configuration has secrets, and its stewardd is of a version "
			       "that cannot take sealed ones: upgrade the router");
	due->waits = true;
	return 0;
}

int router_due_find(const struct router_due_question *question, struct router_due *ret,
		    struct err *err)
{
	const struct registry_origin origin = {.address = "visit", .time_s = time(NULL)};
	struct router_message message = {0};
	struct router_due due = {0};
	int rc = router_secrets_compose(question->registry, question->who->router,
					question->who->node, question->own_keys, &origin, &message,
					err);

	/* It may have got other keys than those that a secret was lost by. */
	if (rc == -ENOKEY && !question->has_asked && !question->has_no_keys) {
		*ret = (struct router_due){.asks_keys = true};
		return 0;
	}
	if (rc == 0)
		rc = judge(question, &origin, &message, &due, err);
	if (rc < 0 || !due.body)
		free(message.body);
	if (rc == 0)
		*ret = due;
	return rc;
}

/* The public halves, base64. */
static int read_keys(const char *answer, struct sealing_keys *ret, struct err *err)
{
	_cleanup_(json_freep) cJSON *json = NULL;
	const char *text = NULL;
	uint8_t *list = NULL;
	size_t size = 0;
	int rc = json_parse(&json, span_of_string(answer), KEYS_TEXT_MAX + 256, err);

	if (rc == 0)
		rc = json_get_string(json, "sealing-keys", KEYS_TEXT_MAX, &text, err);
	if (rc == 0 && base64_decode(span_of_string(text), &list, &size) < 0)
		rc = err_set(err, -EBADMSG, "sealing-keys: expected base64");
	if (rc == 0)
		rc = sealing_keys_parse(ret, span_of(list, size), SEALING_PUBLIC, err);
	free(list);
	return rc < 0 ? err_set(err, -EBADMSG, "%s", err->text) : 0;
}

int router_due_take_keys(const struct router_due_question *question, const char *answer,
			 struct err *err)
{
	const struct registry_origin origin = {.address = "visit", .time_s = time(NULL)};
	struct sealing_keys keys;
	int rc = read_keys(answer, &keys, err);

	return rc < 0 ? rc
		      : registry_secrets_put_node(question->registry, question->who, &keys,
						  question->own_keys, &origin, err);
}
