"""A system bus with a systemd and a logind of made-up units and sessions, for exporters to ask. Prints "ready"."""
import sys
import dbus
import dbus.service
import dbus.mainloop.glib
from gi.repository import GLib

dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
bus = dbus.bus.BusConnection(sys.argv[1])
SYSTEMD, LOGIND = 'org.freedesktop.systemd1', 'org.freedesktop.login1'
PROPERTIES = 'org.freedesktop.DBus.Properties'


class Thing(dbus.service.Object):
    def __init__(self, path, values):
        super().__init__(bus, path)
        self.values = values

    @dbus.service.method(PROPERTIES, in_signature='ss', out_signature='v')
    def Get(self, face, name):
        if name not in self.values:
            raise dbus.exceptions.DBusException(f'no {name}', name='org.freedesktop.DBus.Error.UnknownProperty')
        return self.values[name]


def escape(name):
    return ''.join(c if c.isalnum() else '_%02x' % ord(c) for c in name)


U32, U64 = dbus.UInt32, dbus.UInt64
UNITS = [
    ('-.mount', 'loaded', 'active', {'Type': 'ext4', 'ActiveEnterTimestamp': U64(1700000000123456)}),
    ('cron.service', 'loaded', 'active', {'Type': 'simple', 'NRestarts': U32(3), 'TasksCurrent': U64(2),
     'TasksMax': U64(4915), 'ActiveEnterTimestamp': U64(1700000001000001)}),
    ('ssh@a-b.service', 'loaded', 'failed', {'Type': 'notify', 'NRestarts': U32(0), 'TasksCurrent': U64(2**64 - 1),
     'TasksMax': U64(2**64 - 1), 'ActiveEnterTimestamp': U64(0)}),
    ('gone.service', 'not-found', 'inactive', {}),
    ('odd.service', 'loaded', 'reloading', {}),
    ('ssh.socket', 'loaded', 'active', {'NAccepted': U32(7), 'NConnections': U32(1), 'NRefused': U32(2),
     'ActiveEnterTimestamp': U64(5)}),
    ('old.socket', 'loaded', 'inactive', {'NAccepted': U32(1), 'NConnections': U32(0)}),
    ('apt.timer', 'loaded', 'active', {'LastTriggerUSec': U64(1699999999000000), 'ActiveEnterTimestamp': U64(9)}),
    ('sys.slice', 'loaded', 'active', {}),
]
SESSIONS = [('1', 'seat0', False, 'tty', 'user'), ('2', '', True, 'tty', 'user'), ('3', '', True, 'tty', 'user'),
            ('4', 'seat0', False, 'vr', 'manager')]


class Systemd(Thing):
    @dbus.service.method(SYSTEMD + '.Manager', out_signature='a(ssssssouso)')
    def ListUnits(self):
        path = lambda name: '/org/freedesktop/systemd1/unit/' + escape(name)
        return [(name, 'about', load, active, 'x', '', path(name), 0, '', '/') for name, load, active, _ in UNITS]


class Logind(Thing):
    @dbus.service.method(LOGIND + '.Manager', out_signature='a(so)')
    def ListSeats(self):
        return [('seat0', '/org/freedesktop/login1/seat/seat0')]

    @dbus.service.method(LOGIND + '.Manager', out_signature='a(susso)')
    def ListSessions(self):
        return [(i, 1000, 'u', seat, '/org/freedesktop/login1/session/_3' + i) for i, seat, *_ in SESSIONS]


names = [dbus.service.BusName(name, bus) for name in (SYSTEMD, LOGIND)]
kept = [
    Systemd('/org/freedesktop/systemd1', {'Version': '257.9-1', 'Virtualization': 'kvm', 'SystemState': 'running'}),
    Logind('/org/freedesktop/login1', {}),
]
kept += [Thing('/org/freedesktop/systemd1/unit/' + escape(name), values) for name, _, _, values in UNITS]
kept += [Thing('/org/freedesktop/login1/session/_3' + i, {'Remote': remote, 'Type': kind, 'Class': group})
         for i, _, remote, kind, group in SESSIONS]
print('ready', flush=True)
GLib.MainLoop().run()
