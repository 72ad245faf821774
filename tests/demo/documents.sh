# Real text to ask about: Debian's policy as a PDF of 193 pages, Debian's FAQ and chapters of the PostgreSQL manual as HTML,
# out of Debian's packages, kept in the cache. To be sourced by demo.sh.
# shellcheck shell=bash

documents_packages=(debian-policy debian-faq postgresql-doc-15)
# A printed page holds about this many words.
words_per_page=450

documents() {
  local cached=$cache/demo-documents
  documents_folder=$demo/documents
  if [ ! -e "$cached/complete" ]; then
    long 300 "fetching real documents" "$logs/documents.log" documents_fetch "$cached"
  fi
  rm -rf "$documents_folder"
  mkdir -p "$documents_folder"
  gzip -dc "$cached"/usr/share/doc/debian-policy/policy.pdf.gz >"$documents_folder/debian-policy.pdf"
  documents_copy debian-faq- .en.html "$cached"/usr/share/doc/debian/FAQ/*.en.html
  local manual=$cached/usr/share/doc/postgresql-doc-15/html
  documents_copy postgresql- .html "$manual"/{routine-vacuuming,continuous-archiving,ddl-partitioning,using-explain}.html \
    "$manual"/{warm-standby,ddl-rowsecurity,ddl-priv,explicit-locking,wal-configuration,backup-dump}.html \
    "$manual"/{indexes-index-only-scans,indexes-partial,indexes-types,tutorial-transactions,mvcc-intro}.html
  documents_count
}

# documents_copy PREFIX ENDING FILE...
documents_copy() {
  local prefix=$1 ending=$2 file
  shift 2
  for file in "$@"; do
    cp "$file" "$documents_folder/$prefix$(basename "$file" "$ending").html"
  done
}

# documents_fetch FOLDER: the packages are unpacked, not installed.
documents_fetch() {
  local part=$1.part package apt=(apt-get -q -o Acquire::Retries=3 -o APT::Sandbox::User=root)
  command -v apt-get >/dev/null || fail "the demo's documents come from Debian packages: run it where apt-get is"
  rm -rf "$part" "$1"
  mkdir -p "$part"
  (cd "$part" && { "${apt[@]}" download "${documents_packages[@]}" ||
    { "${apt[@]}" update && "${apt[@]}" download "${documents_packages[@]}"; }; })
  for package in "$part"/*.deb; do
    dpkg-deb --extract "$package" "$part"
    rm -f "$package"
  done
  : >"$part/complete"
  mv "$part" "$1"
}

documents_count() {
  local words pages
  words=$(cat "$documents_folder"/*.html | sed 's/<[^>]*>//g' | wc -w)
  pages=$((193 + words / words_per_page))
  [ "$pages" -ge 200 ] || fail "the documents have only about $pages pages"
  step "documents: one PDF of 193 pages, $(find "$documents_folder" -name '*.html' | wc -l) HTML files of $words words; about $pages pages"
}
