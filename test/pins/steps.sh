# Words for the steps of a scenario, in the guest's sh.
# shellcheck shell=dash disable=SC2034
config=/etc/tasmota-azd/config.yaml
state=/var/lib/tasmota-azd
log=/run/tasmota-azd.log
boot=$(cat /proc/sys/kernel/random/boot_id)
line=''
touch $log
systemd='' # or 1
[ "$(cat /proc/1/comm)" != systemd ] || systemd=1

# state RELAYS [SETTINGS [BOOTID]]: what was saved, as JSON; without a boot id the
# next start is one after a power-on.
state() {
	mkdir -p $state
	echo "{\"version\":1,\"value\":{\"relays\":$1,\"settings\":${2:-{\}},\"boot_id\":\"${3:-another}\"}}" >$state/state
}

# saved STATES [SETTINGS [BOOTID]]: state, with the relays "on off on off", or "" for
# nothing that was saved of them.
saved() {
	settings=${2:-{\}} id=${3:-another} json='' states=$1
	# shellcheck disable=SC2086 # words
	set -- $relays
	for s in $states; do
		case $s in on) s=true ;; off) s=false ;; esac
		json="$json${json:+,}\"${1%=*}\":$s"
		shift
	done
	state "{$json}" "$settings" "$id"
}

# want LINE=LEVEL...: from now on the lines are to be so: 0, 1, or free.
want() {
	for w; do mark "${w%=*}" "${w##*=}"; done
}

# mark LINE LEVEL: into the record of what happens to lines. levels: those of the relays'
# lines. inputs: those lines, and $E, which nobody holds, are inputs again. In the small
# kernel, or on the emulated Pi's registers.
if [ -e /run/gpio-lines ]; then
	mark() { echo "want $1 $2" >/sys/kernel/tracing/trace_marker; }
	wires() { # "NUMBER FILE" of the lines, the file has the level
		for r in $relays $E=1; do
			while read -r name _ _ number dir; do
				[ "$name" != "${r%=*}" ] || echo "$number $dir/value"
			done </run/gpio-lines
		done >/run/wires
	}
	levels() {
		wires
		while read -r _ file; do
			read -r level <"$file"
			echo "$level"
		done </run/wires
	}
	inputs() {
		wires
		while read -r number _; do
			echo "$number" >/sys/class/gpio/export
			echo in >"/sys/class/gpio/gpio$number/direction"
			echo "$number" >/sys/class/gpio/unexport
		done </run/wires
	}
else
	mark() { gpio want "$1" "$2"; }
	levels() { for r in $relays; do gpio get "${r%=*}"; done; }
	inputs() { for r in $relays $E=1; do gpio input "${r%=*}"; done; }
fi

# wanted STATE...: from now on the relays are to be on, off, free, or as before (-).
wanted() {
	for r in $relays; do
		case $1 in
		on) want "$r" ;;
		off) want "${r%=*}=$((1 - ${r#*=}))" ;;
		free) want "${r%=*}=free" ;;
		esac
		shift
	done
}

# are STATE...: the relays are so.
are() {
	levels >/run/levels
	for r in $relays; do
		read -r level
		case $1 in
		on) [ "$level" = "${r#*=}" ] || return 1 ;;
		off) [ "$level" != "${r#*=}" ] || return 1 ;;
		esac
		shift
	done </run/levels
}

# start: without systemd; returns when the relays stand, or fails with the daemon.
start() {
	before=$(grep -c 'relays stand' $log || true)
	tasmota-azd 2>>$log &
	pid=$!
	until [ "$(grep -c 'relays stand' $log)" -gt "$before" ]; do
		kill -0 $pid 2>/dev/null || return 1
		sleep 0.02
	done
}

# swift: start without a look at the log each moment: many of them take long enough.
swift() {
	[ -e /run/fifo ] || { mkfifo /run/fifo && exec 3<>/run/fifo; }
	tasmota-azd 2>/run/fifo &
	pid=$!
	until case $line in *'relays stand'*) ;; *) false ;; esac; do read -r line <&3; done
	line=''
}

# stop [SIGNAL]: and wait for the end.
stop() {
	kill -"${1:-TERM}" "$pid"
	wait "$pid"
}

# cloud: a hub on this machine, with the device "pump".
cloud() {
	hubsim serve --deliver-unsubscribed --data /run/cloud --dps-port 0 --quiet --ready-file /run/cloud.json >/run/hubsim.log 2>&1 &
	until [ -s /run/cloud.json ]; do sleep 0.05; done
	hubsim device create pump >/dev/null && hubsim device show pump >/run/hub && chmod 644 /run/cloud/ca.pem && chmod 711 /run/cloud
	chmod 640 /run/hub && { [ ! "$systemd" ] || chgrp tasmota-azd /run/hub; }
}

# send COMMAND ARGUMENT: to the device.
send() {
	hubsim c2d send --device pump --topic "/$1" --body "$2" >/dev/null
}

# installed: under systemd; what a package does after it placed the files.
installed() {
	systemd-sysusers && systemctl daemon-reload
}

# became TEXT [TIMES]: until the log has it so often.
became() {
	until [ "$(journal | grep -c "$1")" -ge "${2:-1}" ]; do sleep 0.2; done
}

# renew: another file of the same program is in the place of the program.
renew() { cp /usr/bin/tasmota-azd /usr/bin/new && mv /usr/bin/new /usr/bin/tasmota-azd; }

# again: returns when systemd has started the daemon once more by itself.
again() {
	was=$(systemctl show -P NRestarts tasmota-azd)
	"$@"
	until [ "$(systemctl show -P NRestarts tasmota-azd)" -gt "$was" ]; do sleep 0.1; done
	until systemctl -q is-active tasmota-azd; do sleep 0.1; done
}

# crash: the daemon is killed.
crash() { again systemctl kill -s KILL --kill-who=main tasmota-azd; }

# good: the file as it is now.
good() { cp $config /run/good.yaml; }

# stored: how many lines systemd keeps.
stored() { systemctl show -P NFileDescriptorStore tasmota-azd; }

# reloads: how often the daemon has read its file again.
reloads() { journal | grep -c 'configuration reloaded\|configuration not taken' || true; }

# up, restart, killed, upgrade: the relays stand when they return. down: a stop.
# fails TEXT: a start that does so with the text, and refused TEXT a restart. recovers:
# what was in the way is gone; mended: as the good file is back. reload: the file is in
# force; kept TEXT: it is not, as TEXT says, and the one before is.
if [ "$systemd" ]; then
	up() { systemctl start tasmota-azd; }
	restart() { systemctl restart tasmota-azd; }
	killed() { crash; }
	upgrade() { renew && systemctl daemon-reexec && restart; }
	down() { systemctl stop tasmota-azd; }
	fails() { ! systemctl start tasmota-azd && became "$1"; }
	refused() { systemctl restart tasmota-azd || true; became "$1"; }
	recovers() { until systemctl -q is-active tasmota-azd; do sleep 0.1; done; }
	reload() { systemctl reload tasmota-azd; }
	kept() { ! systemctl reload tasmota-azd && systemctl show -P StatusText tasmota-azd | grep -q "$1"; }
else
	up() { start; }
	restart() { stop USR2 && start; }
	killed() { stop KILL || start; }
	upgrade() { renew && restart; }
	down() { stop TERM; }
	fails() { ! start && became "$1"; }
	refused() { stop USR2 && fails "$1"; }
	recovers() { start; }
	reload() {
		before=$(reloads)
		kill -HUP "$pid"
		until [ "$(reloads)" -gt "$before" ]; do sleep 0.02; done
	}
	kept() { reload && journal | tail -n 3 | grep -q "not taken.*$1"; }
fi
mended() { cp /run/good.yaml $config && recovers; }

# journal: what the daemon has logged.
journal() {
	cat $log
	[ ! "$systemd" ] || journalctl -u tasmota-azd -o cat ${cursor:+--after-cursor="$cursor"}
}

# scene NAME: what was before is over: no daemon, no saved state, no log, the lines are
# inputs; the file is the one of that scene.
scene() {
	journal >&2
	echo "=== $1" >&2
	if [ "$systemd" ]; then
		systemctl stop tasmota-azd
		cursor=$(journalctl -n 0 --show-cursor | sed -n 's/^-- cursor: //p')
	else
		for p in tasmota-azd hold; do
			killall -q -KILL $p
			while pidof $p >/dev/null; do sleep 0.02; done
		done
		: >$log
	fi
	rm -rf $state/* $state/.*.tmp
	cp "/usr/local/lib/$1.yaml" $config
	inputs
	want -="$1"
}
