# The life of the package on a machine with systemd, in the guest; after the words of
# test/pins/steps.sh. The steps of the README are in readme/, by their names.
# shellcheck shell=dash disable=SC1090,SC2154
set -e
fails() { echo "FAILED: $*"; exit 1; }
is() { [ "$2" = "$3" ] || fails "$1 is $2 and not $3"; }
has() { case $2 in *"$3"*) ;; *) fails "$1 does not say $3: $2" ;; esac; }
unit() { systemctl show -P "$1" tasmota-azd; }
# Whatever is on the disk, but for the records of dpkg, of apt and of the journal, and
# copies that the tools for users keep.
disk() { find / -xdev -path /var/lib/dpkg -prune -o -path /var/lib/apt -prune -o -path /var/log -prune -o -path /var/cache -prune -o ! -path '/etc/*-' ! -path /etc/.pwd.lock ! -path '/var/lib/systemd/credential.secret' ! -path '/home/pi/*' -print | sort; cat /etc/passwd /etc/group; }

# What the README takes for granted: somebody who may become root, who answers yes, and
# wants to keep his file; a desk, at which the package was built and from where the Pi can
# be reached; who has seen enough of the log.
sudo() { [ "$1" != -u ] || { user=$2 && shift 2 && set -- runuser -u "$user" -- "$@"; }; "$@"; }
apt() { DEBIAN_FRONTEND=noninteractive command apt -y -o Dpkg::Options::=--force-confold "$@" 2>&1; }
make() { is "what is built" "$*" "packages DEBS=amd64"; }
scp() { cp "$1" /home/pi/; }
ssh() { shift && "$@"; }
journalctl() { case $* in *' -f') timeout 3 journalctl "$@" || true ;; *) command journalctl "$@" ;; esac; }
desk() { cd /root/desk; readme "$@"; }
board() { cd /home/pi; readme "$@"; }
readme() { (. "/usr/local/lib/readme/$1") >/run/said || return 1; }

step() { read -r up _ </proc/uptime; echo "== $up s: $*"; }
step the cloud
# The time servers are this machine, and so is the cloud, whose root it trusts. It is not
# called as Azure is: check knows Azure's roots.
echo "127.0.0.1 hub.test dps.test 0.pool.ntp.org 1.pool.ntp.org 2.pool.ntp.org" >>/etc/hosts
ip link add net0 type dummy && ip address add 192.0.2.10/24 dev net0 && ip link set net0 up
timeserver &
hubsim serve --deliver-unsubscribed --data /run/cloud --scope-id 0ne00223A39 --hub hub.test --hub dps.test \
	--websocket-port 443 --dps-retry-after 1s --quiet --ready-file /run/cloud.json >/run/hubsim.log 2>&1 &
until [ -s /run/cloud.json ]; do sleep 0.05; done
cat /run/cloud/ca.pem >>/etc/ssl/certs/ca-certificates.crt
cp /run/cloud/group.key /root/desk/
# command ID COMMAND ARGUMENT: from the cloud.
order() { hubsim c2d send --device pump-house-1 --message-id "$1" --topic "/$2" --body "$3" >/dev/null; }
disk >/run/before

step get the package and install it
desk "get the package"
board install
sed -n '/^tasmota-azd is/,$p' /run/said | head -3 >/run/told
cat /run/told
has "what is told" "$(cat /run/told)" "tasmota-azd enroll"
is state "$(unit ActiveState) $(unit UnitFileState)" "inactive disabled"
is mode "$(stat -c '%a %U:%G' $config)" "640 root:tasmota-azd"
is groups "$(id -nG tasmota-azd)" "tasmota-azd gpio"
id=$(sed -n 's/^-- //p' /usr/lib/systemd/catalog/tasmota-azd.catalog | head -1)
journalctl --list-catalog "$id" >/dev/null || fails "the journal does not explain $id"
is chip "$(stat -c '%a %G' /dev/gpiochip0)" "660 gpio"

step configure and enroll
board configure
sed -i 's/^  #endpoint:.*/  endpoint: "dps.test:8443"/' $config
is mode "$(stat -c '%a %U:%G' $config)" "640 root:tasmota-azd"
cd /root/desk; readme enroll </root/desk/group.key || fails "$(cat /run/said)"
cat /run/said

step check and start
want GPIO17=0 GPIO27=0
board "check and start" || fails "$(cat /run/said)"
grep -F 'connected part=hub host=hub.test device=pump-house-1' /run/said || became 'connected part=hub'

step toggle, and why
want GPIO17=1; order m1 power1 toggle; gpio wait GPIO17 1 20
want GPIO27=1; order m2 power2 on; gpio wait GPIO27 1 20
became 'cause="c2d m2" result'
tasmota-azd why relay1 >/run/why
has why "$(cat /run/why)" "went ON: c2d m1"
has why "$(cat /run/why)" "POWER1 toggle"
cat /run/why

step reload
pid=$(unit MainPID)
cp $config /run/good
echo "nonsense: 1" >>$config
! board "after a change of the configuration" || fails "a broken file was taken"
at="config.yaml:$(wc -l <$config)"
has status "$(tasmota-azd status)" "$at"
has systemd "$(unit StatusText)" "$at"
sed '/pin: GPIO27/a\  - {name: Light, pin: GPIO22, active_low: true}' /run/good | cat >$config
want GPIO22=1
board "after a change of the configuration" || fails "a good file was not taken: $(cat /run/said)"
want GPIO22=0; order m3 power3 on; gpio wait GPIO22 0 20
is process "$(unit MainPID)" "$pid"
is stored "$(stored)" 3
cp $config /run/edited

step kill -9
crash
is "number of restarts" "$(unit NRestarts)" 1
became 'connected part=hub' 2

# placed STEP VERSION: the daemon that runs is of that package then, and knows its owner's file.
placed() {
	pid=$(unit MainPID)
	board "$1" || fails "$(cat /run/said)"
	! grep 'is installed and not started' /run/said || fails "told again what to do first"
	is version "$(dpkg-query -f '${Version}' -W tasmota-azd)" "$2"
	is state "$(unit ActiveState) $(unit UnitFileState)" "active enabled"
	[ "$(unit MainPID)" != "$pid" ] || fails "not restarted"
	cmp "/proc/$(unit MainPID)/exe" /usr/bin/tasmota-azd
	cmp $config /run/edited
	is mode "$(stat -c '%a %U:%G' $config)" "640 root:tasmota-azd"
	is stored "$(stored)" 3
	became 'connected part=hub' "$3"
}
step upgrade
cp /root/later/* /home/pi/
placed upgrade 0.2.0-1 3
want GPIO22=1; order m4 power3 off; gpio wait GPIO22 1 20
step downgrade
cp /root/earlier/* /home/pi/
placed "go back" 0.0.9-1 4
want GPIO22=0; order m5 power3 on; gpio wait GPIO22 0 20

step upgrade and downgrade while it is stopped, with the state of a release that is still to come
want GPIO17=0 GPIO27=0 GPIO22=1; systemctl stop tasmota-azd
board upgrade || fails "$(cat /run/said)"
is state "$(unit ActiveState) $(unit UnitFileState)" "inactive enabled"
sed -i 's/"version":1/"version":99/; s/"value":{/"value":{"unheard":{"of":true},/' $state/state
board "go back" || fails "$(cat /run/said)"
want GPIO17=1 GPIO27=1 GPIO22=0; systemctl start tasmota-azd
became 'connected part=hub' 5
# The older package would leave behind what it does not know of.
placed upgrade 0.2.0-1 6

step remove
want GPIO17=0 GPIO27=0 GPIO22=1
board remove || fails "$(cat /run/said)"
is state "$(unit ActiveState)" inactive
! pidof tasmota-azd || fails "it runs"
[ -s $state/state ] || fails "the state is gone"
cmp $config /run/edited
sealed=/etc/credstore.encrypted/tasmota-azd.device.key
[ -e $sealed ] || fails "the key is gone"

step purge
board purge || fails "$(cat /run/said)"
disk >/run/after
diff /run/before /run/after || fails "something is left"
! grep -i '^dpkg: warning' /run/said || fails "dpkg warns"
is unit "$(unit LoadState)" not-found
step end
