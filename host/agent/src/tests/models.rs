//! What the catalog says of a model and what is therefore sent to it.

use super::*;
use hydroid_core::message::{Bytes, Label, Part};

fn image() -> Part {
    let data = Bytes(vec![1, 2, 3]);
    let name = Some("cat.png".to_owned());
    Part::new(Content::Media { media_type: "image/png".into(), data, name }, Label::file("cat.png"))
}

#[tokio::test(start_paused = true)]
async fn a_model_is_sent_only_what_it_takes() {
    let config = "[model]\nname = \"deaf\"\ncatalog = \"acme\"\ntemperature = 0.5";
    let host = Host::with(config, vec![says("hello"), says("again")]);
    let session = host.new_session().await;
    assert_eq!(turn(&session, "hi").await, Outcome::Completed);
    let Outcome::Failed { reason } =
        session.say(vec![image()]).await.unwrap().ended().await.unwrap().outcome
    else {
        panic!("{:?}", host.transcript())
    };
    assert!(reason.contains("takes no images, so `cat.png` was not sent"), "{reason}");
    // The session is usable as before, and the model is told of what is not there.
    assert_eq!(turn(&session, "without it").await, Outcome::Completed);
    let requests = host.model.requests.lock().unwrap().clone();
    assert_eq!((requests.len(), requests[0].temperature, requests[0].tools.len()), (2, None, 0));
    let sent = serde_json::to_string(&requests[1].messages).unwrap();
    assert!(sent.contains("`cat.png` is left out here") && !sent.contains("AQID"), "{sent}");
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn with_a_route_for_images_it_is_its_model_that_must_take_them() {
    let config = "[model]\nname = \"deaf\"\ncatalog = \"acme\"\n\
        [model.route.vision]\nprovider = \"provider-other\"\nname = \"eye\"";
    let host = Host::reliable(config, vec![says("a cat")]);
    let session = host.new_session().await;
    let ended = session.say(vec![image()]).await.unwrap().ended().await.unwrap();
    assert_eq!(ended.outcome, Outcome::Completed);
    let requests = host.model.requests.lock().unwrap().clone();
    assert_eq!(requests[0].model, "eye");
    assert!(serde_json::to_string(&requests[0].messages).unwrap().contains("AQID"));
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_has_the_limit_of_the_catalog() {
    let most = async |config: &str| {
        let host = Host::with(config, vec![says("hello")]);
        let session = host.new_session().await;
        assert_eq!(turn(&session, "hi").await, Outcome::Completed);
        host.model.requests.lock().unwrap()[0].max_tokens
    };
    assert_eq!(most("[model]\nname = \"priced\"\ncatalog = \"acme\"").await, Some(4000));
    let wanted = "[model]\nname = \"priced\"\ncatalog = \"acme\"\nmax_output_tokens = 7";
    assert_eq!(most(wanted).await, Some(7));
    assert_eq!(most("").await, None);
}
