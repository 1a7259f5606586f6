#include "config/config_free.h"

#include <stdlib.h>

static void free_strings(char **strings, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(strings[i]);
	free(strings);
}

static void free_source(struct config_source *source)
{
	free(source->name);
	free(source->url);
	free(source->query);
	for (size_t i = 0; i < source->n_mirrors; i++) {
		free(source->mirrors[i].url);
		free(source->mirrors[i].query);
	}
	free(source->mirrors);
	free(source->ca_certificate);
	free(source->client_certificate);
	free(source->client_key);
	free(source->username);
	free(source->password_file);
	free(source->bearer_token_file);
	free(source->s3_region);
	free(source->s3_access_key_file);
	free(source->s3_secret_key_file);
	free(source->proxy);
	free(source->proxy_username);
	free(source->proxy_password_file);
}

static void free_software_update(struct config_software_update *update)
{
	free_strings(update->trusted_keys, update->n_trusted_keys);
	for (size_t i = 0; i < update->n_sources; i++)
		free_source(&update->sources[i]);
	for (size_t i = 0; i < update->n_listen; i++)
		free(update->listen[i].address);
	free(update->sources);
	free(update->listen);
}

static void free_integrity(struct config_integrity *integrity)
{
	free_strings(integrity->directories, integrity->n_directories);
	free(integrity->tcti);
	free(integrity->record_directory);
	free(integrity->secrets_directory);
	free(integrity->pcr_bank);
	free(integrity->recovery_key);
	free(integrity->policy_key);
	free(integrity->policy_directory);
}

static void free_onboarding(struct config_onboarding *onboarding)
{
	free(onboarding->secrets_directory);
	free(onboarding->onboarding_file);
	free(onboarding->tcti);
	free(onboarding->device_id_certificate);
	free(onboarding->minimum_mode);
	free_strings(onboarding->reboot_command, onboarding->n_reboot_command);
}

static void free_conductor(struct config_conductor *conductor)
{
	free(conductor->address);
	free(conductor->certificate);
	free(conductor->private_key);
	free(conductor->ca_certificate);
	free(conductor->device_id_ca);
	free(conductor->device_id_crl);
	free(conductor->registry);
}

void config_free(struct config *config)
{
	if (!config)
		return;
	free(config->name);
	free(config->node);
	free(config->asset_id);
	free(config->state_directory);
	free(config->control.socket);
	free(config->control.group);
	free(config->control.read_group);
	free_integrity(&config->integrity);
	free_onboarding(&config->onboarding);
	free_conductor(&config->conductor);
	free(config->high_availability.peer_node);
	free(config->high_availability.peer_url);
	free_software_update(&config->software_update);
	free(config->text);
	free(config);
}

void config_freep(struct config **config)
{
	config_free(*config);
}
