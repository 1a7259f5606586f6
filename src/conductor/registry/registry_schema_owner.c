/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/registry/registry_schema_owner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "conductor/registry/registry_schema.h"
#include "conductor/registry/registry_transaction.h"

#define APPLY_MS 60000
#define CREATE   "CREATE TABLE "

/* As an identifier of SQL. */
static void print_name(FILE *out, const char *name)
{
	(void)fputc('"', out);
	for (; *name; name++) {
		if (*name == '"')
			(void)fputc('"', out);
		(void)fputc(*name, out);
	}
	(void)fputc('"', out);
}

/* What happened is written once, and the version is the owner's. */
static const char *rights_to(const char *table, size_t length)
{
	if (length == strlen("audit") && strncmp(table, "audit", length) == 0)
		return "SELECT, INSERT";
	return "SELECT, INSERT, UPDATE, DELETE";
}

static void print_grant(FILE *out, const char *before, const char *table, size_t length,
			const char *role)
{
	(void)fprintf(out, "%sGRANT %s ON %.*s TO ", before, rights_to(table, length), (int)length,
		      table);
	print_name(out, role);
	(void)fputs(";\n", out);
}

/* Of all tables that the steps make. */
static void print_grants(FILE *out, const char *before, const char *role)
{
	(void)fprintf(out, "%sGRANT SELECT ON schema_versions TO ", before);
	print_name(out, role);
	(void)fputs(";\n", out);
	for (unsigned version = 1; version <= registry_schema_version(); version++) {
		const char *at = registry_schema_step(version);

		while ((at = strstr(at, CREATE)) != NULL) {
			at += strlen(CREATE);
			print_grant(out, before, at, strcspn(at, " ("), role);
		}
	}
}

/* A column is two spaces from the one before it: each has a line here. */
static void print_step(FILE *out, const char *step)
{
	for (const char *at = step; *at; at++) {
		if (strncmp(at, "  ", 2) == 0 && at > step && at[-1] != ' ' && at[-1] != '\n')
			(void)fputc('\n', out);
		(void)fputc(*at, out);
		if (*at == ';')
			(void)fputc('\n', out);
	}
}

static void print_steps(FILE *out)
{
	const unsigned newest = registry_schema_version();

	(void)fprintf(out,
		      "DO $steward$\nBEGIN\n"
		      "IF EXISTS (SELECT 1 FROM schema_versions WHERE version > %u) THEN\n"
		      "  RAISE EXCEPTION 'this registry is of a newer conductord, take its schema: "
		      "version %u is the newest here';\n"
		      "END IF;\n",
		      newest, newest);
	for (unsigned version = 1; version <= newest; version++) {
		(void)fprintf(out,
			      "IF NOT EXISTS (SELECT 1 FROM schema_versions WHERE version = %u) "
			      "THEN\n",
			      version);
		print_step(out, registry_schema_step(version));
		(void)fprintf(out,
			      ";\nINSERT INTO schema_versions (version) VALUES (%u);\nEND IF;\n",
			      version);
	}
	(void)fputs("END\n$steward$;\n", out);
}

void registry_schema_print(FILE *out, const char *role)
{
	(void)fprintf(out,
		      "-- The tables of Steward's registry at PostgreSQL, version %u: for an empty "
		      "database, or one with\n"
		      "-- an older registry. Whoever owns them has this done, from here:\n"
		      "--     conductord --schema | psql -v ON_ERROR_STOP=1 DATABASE\n"
		      "BEGIN;\n"
		      "CREATE TABLE IF NOT EXISTS schema_versions (version BIGINT PRIMARY KEY);\n"
		      "LOCK TABLE schema_versions IN ACCESS EXCLUSIVE MODE;\n",
		      registry_schema_version());
	print_steps(out);
	if (role) {
		(void)fputs("-- What a conductor needs: to read and write rows.\n", out);
		print_grants(out, "", role);
	} else {
		(void)fputs("-- A conductor needs these rights. No role was named: see --role.\n",
			    out);
		print_grants(out, "-- ", "ROLE");
	}
	(void)fputs("COMMIT;\n", out);
}

static int grant(struct registry_session *session, const char *role, struct err *err)
{
	char *sql = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&sql, &size);
	int rc;

	if (!out)
		return err_set(err, -ENOMEM, "out of memory");
	print_grants(out, "", role);
	rc = fclose(out) == 0 ? session->driver->execute(session->connection, sql, err)
			      : err_set(err, -ENOMEM, "out of memory");
	free(sql);
	return rc < 0 ? err_wrap(err, "the rights of role %s", role) : 0;
}

static int apply(const struct registry_driver *driver, const char *uri, const char *role,
		 struct registry_patience *patience, struct err *err)
{
	struct registry_session session = {.driver = driver, .conductor = ""};
	int rc;

	registry_patience_begin(patience, APPLY_MS);
	rc = driver->connect(&session.connection, uri, patience, err);
	if (rc < 0)
		return rc;
	rc = registry_schema_upgrade(&session, registry_schema_version(), err);
	if (rc == 0 && role)
		rc = grant(&session, role, err);
	driver->disconnect(session.connection);
	return rc;
}

int registry_schema_apply(const char *uri, const char *role, struct err *err)
{
	const struct registry_driver *driver = NULL;
	struct registry_patience patience;
	int rc = registry_find_driver(&driver, uri, err);

	if (rc == 0)
		rc = driver->check_uri(uri, err);
	if (rc == 0 && role && !driver->has_roles)
		rc = err_set(err, -EINVAL, "registry: %s has no roles, so none can be given rights",
			     driver->name);
	if (rc == 0)
		rc = registry_patience_init(&patience, err);
	if (rc < 0)
		return rc;
	rc = apply(driver, uri, role, &patience, err);
	registry_patience_release(&patience);
	return rc < 0 ? err_wrap(err, "registry") : 0;
}
