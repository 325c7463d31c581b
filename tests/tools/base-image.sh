#!/bin/bash
# Writes the file system of a substitute for public.ecr.aws/lambda/provided:al2023 to standard output as a tar archive.
# It consists of this machine's glibc and busybox, for machines without access to a container registry. test_built.py
# checks that the binaries also run with the older glibc of Amazon Linux.
#
# usage: base-image.sh PATH_OF_RIE
set -euo pipefail
rie=${1:?usage: base-image.sh PATH_OF_RIE}
libraries=/lib/x86_64-linux-gnu

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/{bin,etc/ssl/certs,lib64,opt,proc,tmp,usr/local/bin,var/{rapid,runtime,task}} "$root$libraries"
chmod 1777 "$root/tmp"

cp "$(command -v busybox)" "$root/bin/busybox"
for applet in sh mv chmod env; do
    ln -s busybox "$root/bin/$applet"
done

cp -L /lib64/ld-linux-x86-64.so.2 "$root/lib64/"
# glibc loads the last two to resolve names.
for library in libc.so.6 libdl.so.2 libgcc_s.so.1 libm.so.6 libpthread.so.0 libresolv.so.2 librt.so.1 \
    libnss_dns.so.2 libnss_files.so.2; do
    cp -L "$libraries/$library" "$root$libraries/"
done
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
echo 'root:x:0:0:root:/root:/bin/sh' > "$root/etc/passwd"
echo 'hosts: files dns' > "$root/etc/nsswitch.conf"

install -m 755 "$rie" "$root/usr/local/bin/aws-lambda-rie"
cat > "$root/lambda-entrypoint.sh" <<'ENTRYPOINT'
#!/bin/sh
if [ -z "$AWS_LAMBDA_RUNTIME_API" ]; then
    exec /usr/local/bin/aws-lambda-rie /var/runtime/bootstrap
fi
exec /var/runtime/bootstrap
ENTRYPOINT
chmod 755 "$root/lambda-entrypoint.sh"

tar --directory "$root" --create .
