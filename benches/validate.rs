//! How long reading and checking a large folder takes.

use bursar::manifest::{LoadOptions, load};
use bursar::source::{FileSet, folder};

fn main() {
    divan::main();
}

const CLIENTS: usize = 10_000;

/// A manifest as agencies write them: own people, a group, labels; 25 clients to a folder.
fn manifests() -> Vec<(String, String)> {
    let shared = "apiVersion: bursar.dev/v1\nkind: ClientDefaults\nmetadata: { name: defaults }\nspec: { plan: teams, notificationEmail: \"dns+{name}@agency.example\", memberGroups: [on-call] }\n---\napiVersion: bursar.dev/v1\nkind: MemberGroup\nmetadata: { name: on-call }\nspec: { members: [pat@agency.example, kim@agency.example] }\n";
    let clients = (0..CLIENTS).map(|n| {
        let text = format!(
            "# yaml-language-server: $schema=../../schemas/manifest.schema.json\napiVersion: bursar.dev/v1\nkind: ClientAccount\nmetadata:\n  name: client-{n}\n  labels: {{ wave: \"{}\" }}\nspec:\n  accountName: Client {n} Limited\n  members:\n    - owner@client-{n}.example\n    - {{ email: it@client-{n}.example, access: limited }}\n    - web@client-{n}.example\n",
            n % 4
        );
        (format!("clients/{}/client-{n}.yaml", n / 25), text)
    });
    std::iter::once(("shared.yaml".to_owned(), shared.to_owned())).chain(clients).collect()
}

#[divan::bench(sample_count = 10)]
fn ten_thousand_in_memory(bencher: divan::Bencher) {
    let files = FileSet::in_memory(manifests());
    bencher.bench_local(|| {
        let loaded = load(&files, &LoadOptions::default());
        assert_eq!((loaded.wanted.clients.len(), loaded.findings.len()), (CLIENTS, 0));
        loaded
    });
}

#[divan::bench(sample_count = 10)]
fn ten_thousand_on_disk(bencher: divan::Bencher) {
    let root = tempfile::tempdir().expect("a temporary folder for the bench");
    for (name, text) in manifests() {
        let path = root.path().join(name);
        std::fs::create_dir_all(path.parent().expect("every name has a folder")).expect("a writable folder");
        std::fs::write(path, text).expect("a writable folder");
    }
    let roots = [root.path().to_owned()];
    bencher.bench_local(|| {
        let files = folder::read(&roots).expect("a readable folder");
        load(&files, &LoadOptions::default())
    });
}
