# The life of the package on a machine with systemd, in the guest; after the words of
# test/pins/steps.sh. $old and $new are two releases of the package.
# shellcheck shell=dash disable=SC2154
set -e
fails() { echo "FAILED: $*"; exit 1; }
is() { [ "$2" = "$3" ] || fails "$1 is $2 and not $3"; }
unit() { systemctl show -P "$1" tasmota-azd; }
# Whatever is on the disk, but for the records of dpkg and of the journal, and copies
# that the tools for users keep.
disk() { find / -xdev -path /var/lib/dpkg -prune -o -path /var/log -prune -o -path /var/cache -prune -o ! -path '/etc/*-' ! -path /etc/.pwd.lock -print | sort; cat /etc/passwd /etc/group; }
disk >/run/before

step() { read -r up _ </proc/uptime; echo "== $up s: $*"; }
step first installation
dpkg -i $old >/run/said 2>&1 || fails "$(cat /run/said)"
sed -n '/^tasmota-azd is/,/^Processing/p' /run/said | grep -v ^Processing >/run/told
is "what is told" "$(wc -l </run/told)" 3
cat /run/told
is state "$(unit ActiveState) $(unit UnitFileState)" "inactive disabled"
is mode "$(stat -c '%a %U:%G' $config)" "640 root:tasmota-azd"
is groups "$(id -nG tasmota-azd)" "tasmota-azd gpio"
id=$(sed -n 's/^-- //p' /usr/lib/systemd/catalog/tasmota-azd.catalog | head -1)
journalctl --list-catalog "$id" >/dev/null || fails "the journal does not explain $id"
is chip "$(stat -c '%a %G' /dev/gpiochip0)" "660 gpio"

step configure and start
cloud
install -m 0640 -g tasmota-azd /run/hub /etc/tasmota-azd/device.connection
cat >$config <<END
hub: {connection_string_file: device.connection, ca_file: /run/cloud/ca.pem}
ntp: {servers: []}
relays:
  - {name: Pump, pin: GPIO17}
  - {name: Heater, pin: GPIO27, active_low: true}
  - {name: Gate, pin: GPIO22}
END
is mode "$(stat -c '%a %U:%G' $config)" "640 root:tasmota-azd"
cp $config /run/edited
tasmota-azd check || fails "check finds a fault before the first start"
want GPIO17=0 GPIO27=1 GPIO22=0
systemctl enable --now tasmota-azd 2>&1
want GPIO17=1; send power1 on; gpio wait GPIO17 1 20
want GPIO27=0; send power2 on; gpio wait GPIO27 0 20

# placed PACKAGE: the daemon that runs is of that package then, and knows its owner's file.
placed() {
	pid=$(unit MainPID)
	dpkg --force-confold -i "$1" >/run/said 2>&1 || fails "$(cat /run/said)"
	! grep 'is installed and not started' /run/said || fails "told again what to do first"
	is version "$(dpkg-query -f '${Version}' -W tasmota-azd)" "$2"
	is state "$(unit ActiveState) $(unit UnitFileState)" "active enabled"
	[ "$(unit MainPID)" != "$pid" ] || fails "not restarted"
	cmp "/proc/$(unit MainPID)/exe" /usr/bin/tasmota-azd
	cmp $config /run/edited
	is mode "$(stat -c '%a %U:%G' $config)" "640 root:tasmota-azd"
	is stored "$(stored)" 3
}
step upgrade
placed $new 0.2.0-1
want GPIO22=1; send power3 on; gpio wait GPIO22 1 20
want GPIO22=0; send power3 off; gpio wait GPIO22 0 20
step downgrade
placed $old 0.1.0-1
want GPIO22=1; send power3 on; gpio wait GPIO22 1 20

step upgrade while it is stopped
want GPIO17=0 GPIO27=1 GPIO22=0; systemctl stop tasmota-azd
dpkg --force-confold -i $new >/run/said 2>&1 || fails "$(cat /run/said)"
is state "$(unit ActiveState) $(unit UnitFileState)" "inactive enabled"
want GPIO17=1 GPIO27=0 GPIO22=1; systemctl start tasmota-azd

step remove
want GPIO17=0 GPIO27=1 GPIO22=0
dpkg -r tasmota-azd >/run/said 2>&1 || fails "$(cat /run/said)"
is state "$(unit ActiveState)" inactive
! pidof tasmota-azd || fails "it runs"
[ -s $state/state ] || fails "the state is gone"
cmp $config /run/edited
[ -e /etc/tasmota-azd/device.connection ] || fails "the key is gone"

step purge
mkdir -p /etc/systemd/system/tasmota-azd.service.d
echo "[Service]" >/etc/systemd/system/tasmota-azd.service.d/proxy.conf
dpkg -P tasmota-azd >/run/said 2>&1 || fails "$(cat /run/said)"
disk >/run/after
diff /run/before /run/after || fails "something is left"
! grep -i warning /run/said || fails "dpkg warns"
is unit "$(unit LoadState)" not-found
