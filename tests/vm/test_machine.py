# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine by itself, without a program of ours: what is missing later was there."""

BOOT_ID = "cat /proc/sys/kernel/random/boot_id"


def test_boots_with_tpm_console_and_network(machine, tpm):
    machine.power_on(tpm)
    machine.wait_up()
    machine.console.login()
    assert machine.console.run("ls /dev/tpm*").split() == ["/dev/tpm0", "/dev/tpmrm0"]
    assert machine.console.run("systemctl --failed --no-legend") == ""
    before = machine.console.run(BOOT_ID)
    machine.reboot()
    machine.wait_up()
    machine.console.login()
    assert machine.console.run(BOOT_ID) != before
    lo, link = machine.links_not_down()
    assert lo == "lo"
    machine.console.run("systemctl stop systemd-networkd.socket systemd-networkd.service; "
                        f"ip link set {link} down")
    assert machine.links_not_down() == ["lo"]
    assert machine.banner(10) is None
    machine.shut_down()
