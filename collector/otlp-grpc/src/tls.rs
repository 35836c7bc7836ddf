//! TLS: the certificate that is shown, the one that is asked for, and the handshake.

use crate::exchange::Exchange;
use crate::refusal::Reason;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    CertificateError, Error, InvalidMessage, RootCertStore, ServerConfig, SupportedProtocolVersion,
};
use tokio_rustls::server::TlsStream;

/// From TLS 1.2 on, and from 1.3 on.
const FROM_1_2: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
const FROM_1_3: &[&SupportedProtocolVersion] = &[&TLS13];

/// What TLS is spoken with.
#[derive(Clone)]
pub struct Tls {
    /// Certificates and versions.
    pub config: Arc<ServerConfig>,
    /// A client that takes longer for its handshake is let go: it holds a connection's place meanwhile.
    pub handshake_time: Duration,
}

/// What TLS is spoken with from the next connection on; none where it is not.
#[derive(Default)]
pub struct Spoken(RwLock<Option<Tls>>);

impl Spoken {
    /// What is spoken with now.
    pub fn now(&self) -> Option<Tls> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Speak with this from the next connection on.
    pub fn set(&self, tls: Tls) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(tls);
    }
}

/// What makes a server's side of TLS, all in PEM; says what is wrong with it.
pub fn config(
    certificates: &[u8],
    key: &[u8],
    client_ca: Option<&[u8]>,
    oldest: &str,
) -> Result<Arc<ServerConfig>, String> {
    let versions = match oldest {
        "1.2" => FROM_1_2,
        "1.3" => FROM_1_3,
        _ => return Err(format!("oldest: {oldest:?} is not spoken; there are: 1.2, 1.3")),
    };
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .map_err(|wrong| wrong.to_string())?;
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let mut roots = RootCertStore::empty();
            for root in chain(pem).map_err(|wrong| format!("client_ca: {wrong}"))? {
                roots.add(root).map_err(|wrong| format!("client_ca: {wrong}"))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|wrong| format!("client_ca: {wrong}"))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let certificates = chain(certificates).map_err(|wrong| format!("certificates: {wrong}"))?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|wrong| format!("key: {wrong}"))?;
    let mut config = builder.with_single_cert(certificates, key).map_err(|wrong| format!("key: {wrong}"))?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}

fn chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match chain {
        Ok(chain) if chain.is_empty() => Err("there is no certificate in PEM".to_owned()),
        Ok(chain) => Ok(chain),
        Err(wrong) => Err(wrong.to_string()),
    }
}

/// Make TLS of a connection; one that fails is counted, unless its peer only looked whether the port is open.
pub async fn shake_hands<T: AsyncRead + AsyncWrite + Unpin>(
    stream: T,
    tls: Tls,
    peer: IpAddr,
    exchange: &Exchange,
) -> Option<TlsStream<T>> {
    let why = match timeout(tls.handshake_time, TlsAcceptor::from(tls.config).accept(stream)).await {
        Ok(Ok(stream)) => return Some(stream),
        Ok(Err(error)) if error.kind() != io::ErrorKind::InvalidData => return None,
        Ok(Err(error)) => why(&error),
        Err(_) => format!("it took more than {} seconds", tls.handshake_time.as_secs_f32()),
    };
    exchange.note_handshake(peer, why);
    exchange.count(Reason::TlsHandshake);
    None
}

fn why(error: &io::Error) -> String {
    let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else {
        return error.to_string();
    };
    match error {
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "it does not speak TLS; is its endpoint http:// instead of https://?".to_owned()
        }
        Error::NoCertificatesPresented => "it shows no certificate".to_owned(),
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "its certificate is of another authority".to_owned()
        }
        Error::InvalidCertificate(_) => format!("its certificate is not accepted: {error}"),
        Error::AlertReceived(alert) => format!("it ended the handshake: {alert:?}"),
        _ => error.to_string(),
    }
}
