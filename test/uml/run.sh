#!/usr/bin/env bash
# Boot a Linux kernel as a process, with simulated GPIO chips, run one command in
# it as root, and end with that command's exit status. See README.md.
#
#   run.sh [options] --cmd 'shell command'
#
#   --bin FILE[:GUEST]   a program; GUEST defaults to /usr/local/bin/NAME
#   --file FILE:GUEST    another file (or folder)
#   --tool NAME          a program of this machine, with its libraries (tc)
#   --board BOARD        which Pi it looks like: zero2w, pi3, pi4 (default), pi5,
#                        pi5-2023 (header is gpiochip4), none
#   --chip CHIP          in place of the board's chips:
#                        'label=pinctrl-rp1,lines=54,names=ID_SDA:ID_SCL:GPIO2..GPIO27'
#   --no-persist         a released output becomes an input (Linux's default; without
#                        this it stays, the default of Raspberry Pi OS)
#   --trace FILE         every GPIO change: seconds, line, event, task
#   --out DIR            after the command, /out of the guest goes there
#   --timeout SECONDS    then the power is cut, exit status 124 (default 60)
#   --mem SIZE           the guest's memory (default 256M)
#   --debian             Debian's programs in place of busybox; process 1 is a shell
#   --systemd            Debian with systemd as process 1
#   --disk FILE          keep Debian's disk in FILE (made if absent, with a journal)
#   --net TAP            eth0 over a tap device of the host; address 192.0.2.2/24
#   --skip-idle          time is simulated: sleeping takes none
#   --append 'WORDS'     more words for the kernel command line
#   --verbose            show the kernel's messages, on stderr
#   --check              run nothing; say what is missing for that, and exit 3
#
# --bin, --file, --tool and --chip may be repeated.
# shellcheck disable=SC2054 # commas in the kernel's options
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${UML_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tasmota-azd-uml}
usage() { sed -n '2,/^# shellcheck/{/^# shellcheck/d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; }
die() { echo "run.sh: $*" >&2; exit 2; }

cmd='' check='' limit=60 mem=256M trace='' out='' debian='' systemd='' disk='' net='' append='' quiet=quiet persist=1
board=pi4
files=() tools=() own_chips=()
while (($#)); do
	case $1 in
	--debian) debian=1 ;;
	--systemd) debian=1 systemd=1 ;;
	--no-persist) persist=0 ;;
	--skip-idle) append+=' time-travel' ;;
	--verbose) quiet='' ;;
	--check) check=1 ;;
	-h | --help) usage; exit ;;
	--*)
		(($# > 1)) || die "$1 needs a value"
		case $1 in
		--bin)
			if [[ $2 == *:* ]]; then files+=("$2")
			else files+=("$2:/usr/local/bin/${2##*/}"); fi ;;
		--file) files+=("$2") ;;
		--tool) tools+=("$2") ;;
		--board) board=$2 ;;
		--chip) own_chips+=("$2") ;;
		--trace) trace=$2 ;;
		--out) out=$2 ;;
		--timeout) limit=$2 ;;
		--mem) mem=$2 ;;
		--disk) disk=$2 debian=1 ;;
		--net) net=$2 ;;
		--append) append+=" $2" ;;
		--cmd) cmd=$2 ;;
		*) die "unknown option $1" ;;
		esac
		shift ;;
	*) die "unknown argument $1" ;;
	esac
	shift
done
[ -n "$cmd$check" ] || { usage >&2; exit 2; }

# --- what this takes ----------------------------------------------------------------

missing() { echo "$*; see test/uml/README.md" >&2; exit 3; }
[ "$(uname -m)" = x86_64 ] || missing "this kernel runs on x86-64 only"
for tool in xz taskset awk sed; do
	command -v $tool >/dev/null || missing "no program $tool"
done
[ -z "$debian" ] || [ -e "$cache/debian.img" ] || missing "no disk with systemd (build.sh --debian makes it)"

# The kernel: $UML_KERNEL, else what build.sh made of this configuration, else the
# ready one beside the project.
kernel=${UML_KERNEL-}
if [ -z "$kernel" ]; then
	if [ "$(cat "$cache/linux.key" 2>/dev/null)" = "$(cat "$here/config" "$here/linux.patch" | sha256sum)" ]
	then kernel=$cache/linux
	else kernel=$here/../../../shared/uml/linux.xz; fi
fi
[ -r "$kernel" ] || missing "no kernel${UML_KERNEL+ $UML_KERNEL} (\$UML_KERNEL names it, or build.sh makes it)"
[ -z "$check" ] || exit 0
linux=$kernel
if [[ $kernel == *.xz ]]; then
	linux=$cache/linux.unpacked
	key=$(sha256sum <"$kernel")
	if ! [ -x "$linux" ] || [ "$(cat "$linux.key" 2>/dev/null)" != "$key" ]; then
		mkdir -p "$cache"
		new=$(mktemp "$cache/linux.XXXXXX")
		xz -dc "$kernel" >"$new"
		chmod 755 "$new"
		mv "$new" "$linux"
		echo "$key" >"$linux.key"
	fi
fi

tmp=$(mktemp -d)
pid='' clock=''
# shellcheck disable=SC2317 # called by trap
cleanup() {
	[ -z "$clock" ] || kill "$clock" 2>/dev/null || true
	# The kernel leads a process group of its own, with all its processes in it.
	[ -z "$pid" ] || kill -KILL -- "-$pid" "$pid" 2>/dev/null || true
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

# --- what the guest gets: a folder that it mounts ---------------------------------

host=$tmp/host
mkdir -p "$host"
cp "$here/init" "$here/run-cmd" "$here/gpio" "$host"
cat >"$host/env" <<END
DEBIAN=$debian SYSTEMD=$systemd TRACE=${trace:+1} NET=${net:+192.0.2.2/24}
END
add() { # FILE GUEST
	[ -e "$1" ] || die "no such file: $1"
	[[ $2 == /* ]] || die "$2: the guest's path must begin with /"
	mkdir -p "$host/files$(dirname "$2")"
	cp -rL --preserve=mode "$1" "$host/files$2"
}
for f in "${files[@]}"; do add "${f%%:*}" "${f#*:}"; done
for t in "${tools[@]}"; do
	p=$(PATH=$PATH:/usr/sbin:/sbin command -v "$t") || die "no program $t on this machine"
	add "$p" "/usr/local/bin/$t"
	for f in $(ldd "$p" | grep -o '/[^ ]*'); do add "$f" "$f"; done
	# busybox's shell prefers what it has itself.
	[[ $t == *[!a-z0-9_]* ]] || echo "$t() { /usr/local/bin/$t \"\$@\"; }" >>"$host/cmd"
done
printf '%s\n' "$cmd" >>"$host/cmd"

args=(mem="$mem" hostfs="$host" uml_dir="$tmp/" console=tty1 con=null con0=fd:0,fd:1 con1=fd:3,fd:2)

# names SPEC: GPIO2..GPIO4:X becomes GPIO2 GPIO3 GPIO4 X
names() {
	local part i prefix
	for part in ${1//:/ }; do
		if [[ $part =~ ^([^.]*[^0-9.])([0-9]+)\.\.(.*[^0-9])([0-9]+)$ ]]; then
			prefix=${BASH_REMATCH[1]}
			for ((i = BASH_REMATCH[2]; i <= BASH_REMATCH[4]; i++)); do echo "$prefix$i"; done
		else echo "$part"; fi
	done
}
chips=()
if [ "$board" != none ]; then
	# shellcheck source=boards.sh
	. "$here/boards.sh"
	board "$board" || die "unknown board $board"
	device_tree "$tmp/dtb"
	args+=(dtb="$tmp/dtb")
fi
((${#own_chips[@]} == 0)) || chips=("${own_chips[@]}")
for c in "${chips[@]}"; do
	[[ $c =~ ^label=([^,\ ]+),lines=([0-9]+)(,names=(.+))?$ ]] || die "--chip $c: not label=L,lines=N,names=A:B:C1..C9"
	label=${BASH_REMATCH[1]} lines=${BASH_REMATCH[2]}
	read -r -d '' -a list < <(names "${BASH_REMATCH[4]}") || true
	((${#list[@]} <= lines)) || die "--chip $c: ${#list[@]} names for $lines lines"
	echo "label=$label lines=$lines ${list[*]}"
done >"$host/chips"

args+=(gpio_sim.persist_gpio_outputs="$persist" panic=-1 noreboot ifb.numifbs=0 dummy.numdummies=0)
[ -z "$quiet" ] || args+=(quiet loglevel=1 systemd.show_status=0)
[ -z "$net" ] || args+=(eth0=tuntap,"$net")
if [ -n "$debian" ]; then
	if [ -n "$disk" ]; then
		# It has a journal, as a Pi's has, since its power may be cut.
		[ -e "$disk" ] || {
			cp --sparse=always "$cache/debian.img" "$disk"
			PATH=$PATH:/usr/sbin:/sbin tune2fs -J size=4 "$disk" >/dev/null
		}
		args+=(ubd0="$(realpath "$disk")")
	else args+=(ubd0="$tmp/changes,$cache/debian.img"); fi
fi
read -r -a words <<<"$append"

# --- run --------------------------------------------------------------------------

# The kernel and its programs are processes that wait for each other all the time:
# on one processor that goes five times as fast as on two.
allowed=()
IFS=, read -r -a ranges < <(sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status)
for c in "${ranges[@]}"; do
	for ((i = ${c%-*}; i <= ${c#*-}; i++)); do allowed+=("$i"); done
done
cpu=${allowed[RANDOM % ${#allowed[@]}]}

# Through pipes, since the kernel cannot wait for a regular file to become writable.
mkfifo "$tmp/0" "$tmp/1" "$tmp/2" "$tmp/3"
cat "$tmp/1" & outputs=($!)
sed -u '/^reboot: System halted\r*$/d' "$tmp/2" >&2 & outputs+=($!)
env -u TMPDIR -u TMP -u TEMP ${UML_TMPDIR:+TMPDIR="$UML_TMPDIR"} taskset -c "$cpu" "$linux" "${args[@]}" "${words[@]}" <>"$tmp/0" 3<>"$tmp/3" >"$tmp/1" 2>"$tmp/2" &
pid=$!
sleep "$limit" &
clock=$!
exec 9>&2 2>/dev/null # bash would tell that it was killed
wait -n "$pid" "$clock" || true
late=''
if kill -0 "$clock"; then kill "$clock"; else
	late=1
	kill -KILL -- "-$pid" "$pid" || true
fi
clock=''
wait "$pid" || true
exec 2>&9 9>&-
pid=''
wait "${outputs[@]}" || true

if [ -n "$trace" ]; then
	# "  relay-31 [000] ..... 0.512345: gpio_value: 529 set 1" and the table of lines;
	# and what the command itself has written into the trace
	if ! [ -e "$host/trace" ]; then
		echo "run.sh: the guest made no trace" >&2
		rm -f "$host/status"
	fi
	touch "$host/trace" "$host/lines"
	awk 'FILENAME ~ /lines$/ { name[$4] = $1; next }
		match($0, /: (gpio_value|gpio_direction|tracing_mark_write): /) {
			n = split(substr($0, RSTART + RLENGTH), event, " ")
			at = substr($0, 1, RSTART - 1); sub(/.* /, "", at)
			task = $0; sub(/ +\[.*/, "", task); sub(/^ +/, "", task); gsub(/ /, "_", task)
			if (/: tracing_mark_write: /) { # "want GPIO17 1"
				if (n == 3 && event[1] == "want") print at, event[2], event[1], event[3], task
				next
			}
			what = event[2]
			for (i = 3; i <= n; i++) if (event[i] != "(0)") what = what " " event[i]
			print at, (event[1] in name) ? name[event[1]] : event[1], what, task
		}' "$host/lines" "$host/trace" >"$trace"
fi
if [ -n "$out" ] && [ -d "$host/out" ]; then
	mkdir -p "$out"
	cp -r "$host/out/." "$out"
fi
[ -z "$late" ] || { echo "run.sh: timed out after $limit s" >&2; exit 124; }
[ -s "$host/status" ] || { echo "run.sh: the guest ended without a status" >&2; exit 125; }
exit "$(<"$host/status")"
