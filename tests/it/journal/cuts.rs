//! PostgreSQL goes away: a proxy that cuts the connection at every step of a commit, before
//! and after the server did it; a server that crashes; a replica that stops in the middle.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bursar::journal::{Batch, EntryKind, InDatabase, Journal, JournalError, Lease, Owner, Query};
use secrecy::SecretString;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};

use super::worlds::{Place as _, entry, fresh_id, put, row, rows, scope};
use crate::support_postgres::{Cluster, Database};

/// When a connection is cut, as seen from one request of the client's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// The request does not arrive.
    Before,
    /// The server has done it, and its answer does not arrive.
    After,
    /// The client sees the cut at once; the request arrives later all the same.
    Late,
    /// Nothing is cut, and nothing goes on: a process that was stopped.
    Stall,
}

#[derive(Debug, Default)]
struct Plan {
    /// At which request from now on.
    cut: Option<(usize, Cut)>,
    /// Nobody gets through.
    closed: bool,
    /// After the cut nobody gets through.
    then_closed: bool,
}

/// Between a journal and its database.
struct Proxy {
    plan: Arc<Mutex<Plan>>,
    address: std::net::SocketAddr,
}

impl Proxy {
    async fn start(socket: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let plan = Arc::new(Mutex::new(Plan::default()));
        let shared = plan.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if shared.lock().unwrap().closed {
                    continue;
                }
                let (socket, plan) = (socket.clone(), shared.clone());
                tokio::spawn(async move {
                    if let Ok(server) = UnixStream::connect(socket).await {
                        let _ = relay(client, server, &plan).await;
                    }
                });
            }
        });
        Self { plan, address }
    }

    fn url(&self, database: &str) -> SecretString {
        SecretString::from(format!("postgres://postgres@{}/{database}?sslmode=disable", self.address))
    }

    fn cut(&self, at: usize, cut: Cut) {
        self.plan.lock().unwrap().cut = Some((at, cut));
    }

    /// Whether the cut came; it is forgotten if not.
    fn was_cut(&self) -> bool {
        self.plan.lock().unwrap().cut.take().is_none()
    }
}

/// One request, then its answer, then the next: as the protocol is used here.
async fn relay(mut client: TcpStream, mut server: UnixStream, plan: &Mutex<Plan>) -> std::io::Result<()> {
    // The start of a connection has a length and no kind.
    let length = client.read_u32().await?;
    let mut start = vec![0; length as usize - 4];
    client.read_exact(&mut start).await?;
    server.write_u32(length).await?;
    server.write_all(&start).await?;
    answer(&mut server, Some(&mut client)).await?;
    loop {
        let mut request = Vec::new();
        // Up to a simple query or a sync: what is answered.
        while !matches!(message(&mut client, &mut request).await?, b'Q' | b'S') {}
        match due(plan) {
            None => {
                server.write_all(&request).await?;
                answer(&mut server, Some(&mut client)).await?;
            }
            Some(Cut::Before) => return Ok(()),
            Some(Cut::After) => {
                server.write_all(&request).await?;
                return answer(&mut server, None).await;
            }
            Some(Cut::Late) => {
                drop(client);
                // Long enough that whoever asks meanwhile would be told the wrong thing.
                tokio::time::sleep(Duration::from_millis(200)).await;
                server.write_all(&request).await?;
                return answer(&mut server, None).await;
            }
            Some(Cut::Stall) => std::future::pending().await,
        }
    }
}

/// A pooler in transaction mode: each transaction of a client's goes to another session.
async fn pool(mut client: TcpStream, socket: PathBuf) -> std::io::Result<()> {
    let length = client.read_u32().await?;
    let mut start = vec![0; length as usize - 4];
    client.read_exact(&mut start).await?;
    let mut sessions = Vec::new();
    for number in 0..3 {
        let mut session = UnixStream::connect(&socket).await?;
        session.write_u32(length).await?;
        session.write_all(&start).await?;
        answer(&mut session, (number == 0).then_some(&mut client)).await?;
        sessions.push(session);
    }
    loop {
        let mut request = Vec::new();
        while !matches!(message(&mut client, &mut request).await?, b'Q' | b'S') {}
        sessions[0].write_all(&request).await?;
        let mut all = Vec::new();
        while message(&mut sessions[0], &mut all).await? != b'Z' {}
        client.write_all(&all).await?;
        // The last byte says whether a transaction is open.
        if all.last() == Some(&b'I') {
            sessions.rotate_left(1);
        }
    }
}

fn due(plan: &Mutex<Plan>) -> Option<Cut> {
    let mut plan = plan.lock().unwrap();
    let (left, cut) = plan.cut?;
    plan.cut = (left > 0).then(|| (left - 1, cut));
    let due = (left == 0).then_some(cut);
    plan.closed |= due.is_some() && plan.then_closed;
    due
}

/// Reads one message to the end of what is there, and tells its kind.
async fn message(from: &mut (impl tokio::io::AsyncRead + Unpin), all: &mut Vec<u8>) -> std::io::Result<u8> {
    let kind = from.read_u8().await?;
    let length = from.read_u32().await?;
    let mut body = vec![0; length as usize - 4];
    from.read_exact(&mut body).await?;
    all.push(kind);
    all.extend(length.to_be_bytes());
    all.extend(body);
    Ok(kind)
}

/// Passes a whole answer on, or hears it for nobody.
async fn answer(server: &mut UnixStream, client: Option<&mut TcpStream>) -> std::io::Result<()> {
    let mut all = Vec::new();
    while message(server, &mut all).await? != b'Z' {}
    match client {
        Some(client) => client.write_all(&all).await,
        None => Ok(()),
    }
}

/// A commit that raises a row's version and tells it once.
fn raise(seen: u64) -> Batch {
    let here = scope("here");
    let entries = vec![entry(&here, i64::try_from(seen).unwrap(), EntryKind::Sent, "acme")];
    Batch { entries, permits: true, ..rows(vec![put(&row(&here, "acme"), seen)]) }
}

async fn versions(journal: &dyn Journal) -> (u64, usize) {
    let (rows, _) = journal.rows(&scope("here"), 0).await.unwrap();
    (rows[0].version, journal.history(&Query::default()).await.unwrap().len())
}

#[tokio::test]
async fn a_commit_that_is_cut_off_anywhere_happens_once() {
    let Some(place) = Database::new().await else { return };
    let proxy = Proxy::start(place.socket()).await;
    place.open().await.close().await;
    let journal = InDatabase::open_executor(&proxy.url(&place.name), fresh_id()).await.unwrap();
    let direct = place.beside().await.unwrap();
    let here = scope("here");
    let mut seen = 0;
    journal.commit(&here, raise(seen)).await.unwrap();
    for cut in [Cut::Before, Cut::After, Cut::Late] {
        for at in 0.. {
            seen += 1;
            proxy.cut(at, cut);
            journal.commit(&here, raise(seen)).await.unwrap_or_else(|error| panic!("{cut:?} at {at}: {error}"));
            assert_eq!(
                versions(direct.as_ref()).await,
                (seen + 1, usize::try_from(seen + 1).unwrap()),
                "{cut:?} at {at}"
            );
            if !proxy.was_cut() {
                assert!(at >= 8, "a commit has more steps than {at}");
                break;
            }
        }
    }
    direct.close().await;
    journal.close().await;
}

#[tokio::test]
async fn a_pooler_may_give_each_transaction_another_session() {
    let Some(place) = Database::new().await else { return };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://postgres@{}/{}?sslmode=disable", listener.local_addr().unwrap(), place.name);
    let socket = place.socket();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(pool(client, socket.clone()));
        }
    });
    let url = SecretString::from(url);
    let journal = InDatabase::open_executor(&url, fresh_id()).await.unwrap();
    let here = scope("here");
    for seen in 0..10 {
        journal.commit(&here, raise(seen)).await.unwrap();
        assert_eq!(versions(&journal).await, (seen + 1, usize::try_from(seen + 1).unwrap()));
    }
    let owner = Owner::new("anne");
    assert_eq!(journal.lease("fleet", &owner, Duration::from_secs(60)).await.unwrap(), Lease::Held);
    assert_eq!(journal.replicas(&owner, Duration::from_secs(60)).await.unwrap(), 1);
    assert_eq!(journal.failed_over().await.unwrap(), None);
    let beside = InDatabase::open_beside(&url).await.unwrap();
    assert_eq!(beside.contents().await.unwrap(), journal.contents().await.unwrap());
    beside.close().await;
    journal.close().await;
}

#[tokio::test]
async fn reading_goes_on_after_a_cut() {
    let Some(place) = Database::new().await else { return };
    let proxy = Proxy::start(place.socket()).await;
    let journal = InDatabase::open_executor(&proxy.url(&place.name), fresh_id()).await.unwrap();
    journal.commit(&scope("here"), raise(0)).await.unwrap();
    for cut in [Cut::Before, Cut::After] {
        for at in 0..4 {
            proxy.cut(at, cut);
            assert_eq!(versions(&journal).await, (1, 1), "{cut:?} at {at}");
        }
    }
    journal.close().await;
}

/// Committed, the answer lost, and the server out of reach for longer than anybody waits: that
/// is not told as a failure of which nothing is left.
#[tokio::test]
async fn where_it_cannot_be_told_it_says_so_and_the_truth_is_found_later() {
    let Some(place) = Database::new().await else { return };
    let proxy = Proxy::start(place.socket()).await;
    let journal = InDatabase::open_executor(&proxy.url(&place.name), fresh_id()).await.unwrap();
    let here = scope("here");
    journal.commit(&here, raise(0)).await.unwrap();
    // The eighth request of a commit is the commit itself.
    proxy.plan.lock().unwrap().then_closed = true;
    proxy.cut(7, Cut::After);
    let told = journal.commit(&here, raise(1)).await.unwrap_err().to_string();
    assert!(told.contains("cannot be written: whether the last commit is on disk is not known"), "{told}");
    *proxy.plan.lock().unwrap() = Plan::default();
    let conflict = JournalError::Conflict { operation: row(&here, "acme").id() };
    assert_eq!(journal.commit(&here, raise(1)).await, Err(conflict), "it was");
    assert_eq!(versions(&journal).await, (2, 2));
    journal.commit(&here, raise(2)).await.unwrap();
    journal.close().await;
}

#[tokio::test]
async fn a_replica_that_stops_in_the_middle_holds_the_others_up_for_seconds_only() {
    let Some(place) = Database::new().await else { return };
    let proxy = Proxy::start(place.socket()).await;
    let stopped: Arc<dyn Journal> =
        Arc::new(InDatabase::open_executor(&proxy.url(&place.name), fresh_id()).await.unwrap());
    let other = place.beside().await.unwrap();
    let here = scope("here");
    other.commit(&here, raise(0)).await.unwrap();
    // It holds the right to write, and does not go on.
    proxy.cut(4, Cut::Stall);
    let stuck = tokio::spawn({
        let (journal, here) = (stopped.clone(), here.clone());
        async move { journal.commit(&here, raise(1)).await }
    });
    other.commit(&here, raise(1)).await.unwrap();
    other.commit(&here, raise(2)).await.unwrap();
    // It goes on, too late: what it saw is not there any more.
    let conflict = JournalError::Conflict { operation: row(&here, "acme").id() };
    assert_eq!(stuck.await.unwrap(), Err(conflict));
    assert_eq!(versions(other.as_ref()).await, (3, 3));
    other.close().await;
    stopped.close().await;
}

#[tokio::test]
async fn a_server_that_crashes_and_comes_back_costs_time_and_nothing_else() {
    let Some(cluster) = Cluster::start() else { return };
    let url = SecretString::from(cluster.url("postgres"));
    let journal: Arc<dyn Journal> = Arc::new(InDatabase::open_executor(&url, fresh_id()).await.unwrap());
    let here = scope("here");
    journal.commit(&here, raise(0)).await.unwrap();
    for seen in 1..4 {
        cluster.down();
        let written = tokio::spawn({
            let (journal, here) = (journal.clone(), here.clone());
            async move { journal.commit(&here, raise(seen)).await }
        });
        tokio::task::yield_now().await;
        cluster.up();
        written.await.unwrap().unwrap();
        assert_eq!(versions(journal.as_ref()).await, (seen + 1, usize::try_from(seen + 1).unwrap()));
    }
    cluster.down();
    let told = journal.commit(&here, raise(4)).await.unwrap_err();
    assert!(matches!(told, JournalError::Unavailable { doing: "written", .. }), "{told:?}");
    cluster.up();
    journal.commit(&here, raise(4)).await.unwrap();
    journal.close().await;
}
