//! The service manager: a real datagram socket hears when the daemon is ready, lives and stops.

use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use super::SOON;
use crate::support::{Running, World};

/// Reads datagrams until one holds this text; everything that came.
fn until(socket: &UnixDatagram, text: &str) -> String {
    let (mut heard, end) = (String::new(), Instant::now() + SOON);
    while Instant::now() < end {
        let mut buffer = [0; 4096];
        if let Ok(length) = socket.recv(&mut buffer) {
            heard += std::str::from_utf8(&buffer[..length]).unwrap();
            if heard.contains(text) {
                return heard;
            }
        }
    }
    panic!("no {text} in:\n{heard}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_hears_when_the_daemon_is_ready_that_it_lives_and_that_it_stops() {
    let world = World::new(&[]).await;
    world.client("acme", &[]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let abstract_name = format!("bursar-test-{}", uuid::Uuid::now_v7());
    for by_name in [false, true] {
        let socket = if by_name {
            use std::os::linux::net::SocketAddrExt as _;
            let address = std::os::unix::net::SocketAddr::from_abstract_name(&abstract_name).unwrap();
            UnixDatagram::bind_addr(&address).unwrap()
        } else {
            UnixDatagram::bind(&path).unwrap()
        };
        socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let mut command = world.command(&["run"]);
        let name = if by_name { format!("@{abstract_name}") } else { path.display().to_string() };
        command.env("NOTIFY_SOCKET", name).env("WATCHDOG_USEC", "600000");
        let mut daemon = Running::start(command);
        let heard = until(&socket, "STATUS=1 in sync\n");
        assert!(heard.contains("READY=1\n"), "{heard}");
        let heard = until(&socket, "WATCHDOG=1\n");
        assert!(!heard.contains("READY=1"), "once: {heard}");
        daemon.wait_for("acme: in sync", SOON);
        let (_, code, log) = daemon.stop();
        assert_eq!(code, 0, "{log}");
        until(&socket, "STOPPING=1\n");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_manifests_cannot_be_read_it_is_not_ready_and_asks_for_more_time() {
    let world = World::new(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut command = world.command(&["run", "clients", "--poll", "200ms"]);
    command.env("NOTIFY_SOCKET", &path);
    let mut daemon = Running::start(command);
    daemon.wait_for("nothing is in force yet, so nothing is done", SOON);
    let heard = until(&socket, "the manifests cannot be read");
    assert!(!heard.contains("READY=1") && heard.contains("EXTEND_TIMEOUT_USEC=30000000\n"), "{heard}");
    world.write("clients/acme.yaml", &crate::support::manifest("acme", &[]));
    let heard = until(&socket, "READY=1\n");
    assert!(!heard.contains("WATCHDOG"), "nobody asked for it: {heard}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_that_does_not_listen_is_no_trouble() {
    let world = World::new(&[]).await;
    world.client("acme", &[]);
    for name in ["/nowhere/at/all", "relative", "@", ""] {
        let mut command = world.command(&["run"]);
        command.env("NOTIFY_SOCKET", name).env("WATCHDOG_USEC", "soon");
        let mut daemon = Running::start(command);
        daemon.wait_for("acme: in sync", SOON);
        assert_eq!(daemon.stop().1, 0);
    }
}
