//! A TCP proxy that breaks connections on command.

use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

const COPY_BYTES: usize = 16 * 1024;

/// What the proxy does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Chaos {
    /// Passes everything on.
    #[default]
    Pass,
    /// Closes new connections at once and breaks those that are open.
    Break,
    /// Passes so many bytes of each answer, then breaks the connection.
    CutAfterBytes(u64),
    /// Keeps connections open and passes nothing on.
    Stall,
}

/// A running proxy; it stops when dropped.
#[derive(Debug)]
pub struct ChaosProxy {
    address: SocketAddr,
    chaos: watch::Sender<Chaos>,
    _server: JoinSet<()>,
}

impl ChaosProxy {
    /// A proxy on a free port in front of an address.
    pub async fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (chaos, told) = watch::channel(Chaos::Pass);
        let mut server = JoinSet::new();
        server.spawn(serve(listener, upstream, told));
        Self { address, chaos, _server: server }
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Does this from now on, to open connections too.
    pub fn set(&self, chaos: Chaos) {
        self.chaos.send_replace(chaos);
    }
}

async fn serve(listener: TcpListener, upstream: SocketAddr, told: watch::Receiver<Chaos>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let Ok((client, _)) = accepted else { continue };
        if *told.borrow() == Chaos::Break {
            continue;
        }
        let told = told.clone();
        connections.spawn(async move {
            let Ok(server) = TcpStream::connect(upstream).await else { return };
            let nodelay = client.set_nodelay(true).and_then(|()| server.set_nodelay(true));
            nodelay.expect("TCP connections");
            pass(client, server, told).await;
        });
    }
}

async fn pass(client: TcpStream, server: TcpStream, told: watch::Receiver<Chaos>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let answered = Arc::new(watch::channel(0u64).0);
    let mut told_broken = told.clone();
    let up = async {
        let mut buffer = vec![0; COPY_BYTES];
        while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
            until_passing(&mut told.clone()).await;
            if to_server.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
        let _ = to_server.shutdown().await;
        std::future::pending::<()>().await;
    };
    let down = async {
        let mut buffer = vec![0; COPY_BYTES];
        while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
            let chaos = until_passing(&mut told.clone()).await;
            let mut allowed = read;
            if let Chaos::CutAfterBytes(bytes) = chaos {
                allowed = read.min(bytes.saturating_sub(*answered.borrow()) as usize);
            }
            if to_client.write_all(&buffer[..allowed]).await.is_err() || allowed < read {
                return;
            }
            answered.send_modify(|bytes| *bytes += read as u64);
        }
    };
    tokio::select! {
        () = up => {}
        () = down => {}
        _ = told_broken.wait_for(|chaos| *chaos == Chaos::Break) => {}
    }
}

/// Waits while the proxy stalls.
async fn until_passing(told: &mut watch::Receiver<Chaos>) -> Chaos {
    match told.wait_for(|chaos| *chaos != Chaos::Stall).await {
        Ok(chaos) => *chaos,
        Err(_) => Chaos::Break,
    }
}
