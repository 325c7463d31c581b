//! The certificates that TLS trusts. The TLS stack panics on unusable ones, so they are checked before.

use std::fs;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// Reads a PEM file of trusted certificates.
///
/// # Errors
/// Returns why the file is unusable.
pub(super) fn read(path: &str) -> Result<Vec<u8>, String> {
    let pem = fs::read(path).map_err(|error| format!("the file cannot be read: {error}"))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| format!("the file is not a PEM file: {error}"))?;
        roots.add(certificate).map_err(|error| format!("the file contains an unusable certificate: {error}"))?;
    }
    if roots.is_empty() { Err("the file contains no certificate in PEM format".to_owned()) } else { Ok(pem) }
}

/// Returns whether the system has a usable root certificate. Reads the same files as the TLS stack, up to the first
/// usable certificate.
#[cfg(target_os = "linux")]
pub(super) fn exist() -> bool {
    use std::path::{Path, PathBuf};

    use crate::variables::{process_paths, process_variable};

    fn usable(file: &Path) -> bool {
        let certificates = CertificateDer::pem_file_iter(file);
        certificates.is_ok_and(|mut found| {
            found
                .any(|certificate| certificate.is_ok_and(|certificate| RootCertStore::empty().add(certificate).is_ok()))
        })
    }

    let mut file = process_variable("SSL_CERT_FILE").map(PathBuf::from);
    let mut directories = process_paths("SSL_CERT_DIR");
    if file.is_none() && directories.is_empty() {
        let system = openssl_probe::probe();
        (file, directories) = (system.cert_file, system.cert_dir);
    }
    let files = directories.iter().filter_map(|directory| fs::read_dir(directory).ok()).flatten();
    file.is_some_and(|file| usable(&file))
        || files.filter_map(|entry| Some(entry.ok()?.path())).any(|file| file.is_file() && usable(&file))
}

/// Other systems have a certificate store, not files.
#[cfg(not(target_os = "linux"))]
pub(super) fn exist() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use lambda_harness::DistantEndpoint;

    use super::*;

    #[test]
    fn only_files_with_certificates_are_read() {
        let pem = read(DistantEndpoint::certificate()).expect("a certificate");
        assert!(pem.starts_with(b"-----BEGIN CERTIFICATE-----"));
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        for unusable in ["/no/such/file", env!("CARGO_MANIFEST_DIR"), manifest] {
            assert!(read(unusable).is_err(), "{unusable}");
        }
    }
}
