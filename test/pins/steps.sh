# Words for the steps of a scenario, in the guest's sh.
# shellcheck shell=dash disable=SC2034
config=/etc/tasmota-azd/config.yaml
log=/run/tasmota-azd.log
boot=$(cat /proc/sys/kernel/random/boot_id)
touch $log

# state RELAYS [SETTINGS [BOOTID]]: what was saved, as JSON; without a boot id the
# next start is one after a power-on.
state() {
	mkdir -p /var/lib/tasmota-azd
	echo "{\"version\":1,\"value\":{\"relays\":$1,\"settings\":${2:-{\}},\"boot_id\":\"${3:-another}\"}}" >/var/lib/tasmota-azd/state
}

# start: without systemd; returns when the relays stand, or fails with the daemon.
start() {
	before=$(grep -c 'relays stand' $log)
	tasmota-azd 2>>$log &
	pid=$!
	until [ "$(grep -c 'relays stand' $log)" -gt "$before" ]; do
		kill -0 $pid 2>/dev/null || return 1
		sleep 0.02
	done
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
	hubsim device create pump >/dev/null && hubsim device show pump >/run/hub && chmod 644 /run/hub
}

# send COMMAND ARGUMENT: to the device.
send() {
	hubsim c2d send --device pump --topic "/$1" --body "$2" >/dev/null
}

# installed: under systemd; what a package does after it placed the files.
installed() {
	systemd-sysusers && systemctl daemon-reload
}

# again: returns when systemd has started the daemon once more by itself.
again() {
	was=$(systemctl show -P NRestarts tasmota-azd)
	"$@"
	until [ "$(systemctl show -P NRestarts tasmota-azd)" -gt "$was" ]; do sleep 0.05; done
	until systemctl -q is-active tasmota-azd; do sleep 0.05; done
}

# crash: the daemon is killed.
crash() { again systemctl kill -s KILL --kill-who=main tasmota-azd; }

# good: the file as it is now; mend: it is so again, and systemd has noticed.
good() { cp $config /run/good.yaml; }
mend() {
	cp /run/good.yaml $config
	until systemctl -q is-active tasmota-azd; do sleep 0.05; done
}

# stored: how many lines systemd keeps.
stored() { systemctl show -P NFileDescriptorStore tasmota-azd; }

# journal: what the daemon has logged.
journal() {
	cat $log
	[ ! -d /run/systemd/system ] || journalctl -u tasmota-azd -o cat
}
