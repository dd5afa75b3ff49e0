//! From a name to its addresses: by the system, or by the name server the operator names. Nothing
//! is kept, so that what is checked is what was just answered.

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::Name;
use std::net::{IpAddr, SocketAddr};

/// Who is asked.
#[derive(Clone)]
pub(super) enum Resolver {
    /// The system, with its `hosts` file.
    System,
    /// A name server of the operator's.
    Server(Box<TokioResolver>),
}

impl Resolver {
    pub(super) fn new(server: Option<SocketAddr>) -> Result<Self, String> {
        let Some(server) = server else { return Ok(Self::System) };
        let connection = |mut connection: ConnectionConfig| {
            connection.port = server.port();
            connection
        };
        let connections =
            vec![connection(ConnectionConfig::udp()), connection(ConnectionConfig::tcp())];
        let servers = vec![NameServerConfig::new(server.ip(), true, connections)];
        let mut builder = TokioResolver::builder_with_config(
            ResolverConfig::from_parts(None, Vec::new(), servers),
            TokioRuntimeProvider::default(),
        );
        let options = builder.options_mut();
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        // Both families: one public answer must not hide a private one of the other.
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        let resolver = builder.build().map_err(|error| format!("`egress.dns`: {error}"))?;
        Ok(Self::Server(Box::new(resolver)))
    }

    /// All addresses of a name, which may be an address itself; none if there is no such name.
    pub(super) async fn addresses(&self, host: &str) -> Option<Vec<IpAddr>> {
        if let Ok(address) = host.parse() {
            return Some(vec![address]);
        }
        match self {
            Self::System => {
                let found = tokio::net::lookup_host((host, 0)).await.ok()?;
                Some(found.map(|address| address.ip()).collect())
            }
            Self::Server(resolver) => {
                // With its dot the name is whole, so nothing is appended to it.
                let name = Name::from_ascii(format!("{}.", host.trim_end_matches('.'))).ok()?;
                Some(resolver.lookup_ip(name).await.ok()?.iter().collect())
            }
        }
    }
}
