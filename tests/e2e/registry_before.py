# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry as an older conductor left it."""

# What version 3 did not have. Each later table goes behind those that refer to it.
TABLES = ("rollout_reasons", "rollout_blocks", "rollouts", "labels", "conductor_list", "key_exchanges",
          "sealed_to_conductors", "sealed_to_nodes", "secrets", "conductor_keys", "node_keys")
TO_VERSION_3 = "; ".join([*(f"DROP TABLE {table}" for table in TABLES),
                          *(f"ALTER TABLE conductors DROP COLUMN {column}"
                            for column in ("moved", "contested", "contested_by")),
                          "DELETE FROM schema_versions WHERE version > 3"])
