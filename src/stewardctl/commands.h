/* SPDX-License-Identifier: GPL-3.0-or-later */
/* commands.h - the commands of stewardctl: the table, and what each does. */
#pragma once

#include "stewardctl/grammar.h"

extern const struct command commands[];
extern const size_t n_commands;

/* Each returns the program's exit status (client.h). */
int command_show_system(const struct invocation *invocation);
int command_show_download(const struct invocation *invocation);
int command_show_available(const struct invocation *invocation);
int command_download(const struct invocation *invocation);
int command_pause(const struct invocation *invocation);
int command_resume(const struct invocation *invocation);
int command_cancel(const struct invocation *invocation);
int command_reload(const struct invocation *invocation);
int command_show_images(const struct invocation *invocation);
int command_verify(const struct invocation *invocation);
int command_delete(const struct invocation *invocation);
int command_create_manifest(const struct invocation *invocation);
int command_show_integrity(const struct invocation *invocation);
int command_enable_integrity(const struct invocation *invocation);
int command_zeroize_integrity(const struct invocation *invocation);
int command_reseal_integrity(const struct invocation *invocation);
int command_recover_integrity(const struct invocation *invocation);
int command_show_recovery(const struct invocation *invocation);
int command_create_policy(const struct invocation *invocation);
int command_add_policy(const struct invocation *invocation);
int command_import(const struct invocation *invocation);
int command_configure_asset_id(const struct invocation *invocation);
int command_configure_endorsement_key(const struct invocation *invocation);
int command_configure_mode(const struct invocation *invocation);
int command_configure_secret(const struct invocation *invocation);
int command_make_secret(const struct invocation *invocation);
int command_configure_router(const struct invocation *invocation);
int command_deconfigure_router(const struct invocation *invocation);
int command_delete_router(const struct invocation *invocation);
int command_delete_node(const struct invocation *invocation);
int command_delete_conductor(const struct invocation *invocation);
int command_show_conductors(const struct invocation *invocation);
int command_show_authority(const struct invocation *invocation);
int command_show_routers(const struct invocation *invocation);
int command_configure_label(const struct invocation *invocation);
int command_delete_label(const struct invocation *invocation);
int command_show_rollouts(const struct invocation *invocation);
int command_show_rollout(const struct invocation *invocation);
int command_create_rollout(const struct invocation *invocation);
int command_pause_rollout(const struct invocation *invocation);
int command_resume_rollout(const struct invocation *invocation);
int command_approve_rollout(const struct invocation *invocation);
int command_cancel_rollout(const struct invocation *invocation);
int command_create_token(const struct invocation *invocation);
int command_show_onboarding(const struct invocation *invocation);
int command_show_tokens(const struct invocation *invocation);
int command_show_enrolments(const struct invocation *invocation);
int command_revoke_token(const struct invocation *invocation);
int command_reset_node(const struct invocation *invocation);
int command_reset_clock(const struct invocation *invocation);
int command_onboard(const struct invocation *invocation);
