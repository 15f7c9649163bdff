//! The listeners of one account on the running service: late, cut, mute, old. Whatever they do, every fill is one signal.

mod cut;
mod late;
mod storm;
#[path = "../support/mod.rs"]
mod support;

use serde_json::Value;
use support::eventually;
use support::scene::Scene;
use support::service::Service;

const ALICE: &str = "0x0000000000000000000000000000000a11ce0001";

/// Fills 20 ms apart, listeners looked at ten times a second.
fn scene(listeners: &str) -> Scene {
    let of = |_: &std::path::Path| format!("static = [{{ address = \"{ALICE}\" }}]");
    Scene::new(20, of, &format!("[listeners]\nprobe_interval_ms = 100\n{listeners}"))
}

fn each(service: &Service) -> Vec<Value> {
    let status = service.status();
    status.pointer("/listeners/each").and_then(Value::as_array).expect("listeners").clone()
}

/// The name of the listener with a role.
fn with_role(each: &[Value], role: &str) -> Option<String> {
    let listener = each.iter().find(|listener| listener.get("role").is_some_and(|of| of == role))?;
    listener.get("name").and_then(Value::as_str).map(str::to_owned)
}

fn coverage(service: &Service) -> String {
    let status = service.status();
    status.pointer("/accounts/0/coverage").and_then(Value::as_str).expect("one account").to_owned()
}

/// A service whose account has its baseline and as many live listeners as its coverage says, one of them the primary.
fn ready(scene: &Scene, wanted: &str) -> Service {
    let service = Service::start(&scene.config, &[]);
    service.wait_ready();
    eventually("live listeners, one of them the primary", || {
        let primary = with_role(&each(&service), "primary");
        (coverage(&service) == wanted && primary.is_some()).then_some(())
    });
    service
}
