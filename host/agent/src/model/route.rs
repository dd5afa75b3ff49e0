//! A model by what is asked: a conversation with an image goes to the model that is configured for
//! those. Not a judgement of how hard a question is.

use super::{Started, announced, options_of};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hydroid_core::config::OtherModel;
use hydroid_core::ports::{CallContext, Model, ModelEvent, ModelRequest};
use hydroid_core::reliability::{ModelNews, ModelRef, has_image};
use serde_json::Value;
use std::sync::Arc;

/// The layer.
pub(super) struct Route {
    inner: Arc<dyn Model>,
    vision: ModelRef,
    options: Option<Value>,
}

impl Route {
    pub(super) fn new(inner: Arc<dyn Model>, vision: &OtherModel) -> Result<Self, String> {
        let options = options_of(vision.options.as_ref())?;
        Ok(Self { inner, vision: vision.model(), options })
    }
}

impl Model for Route {
    fn complete(&self, mut request: ModelRequest, context: CallContext) -> BoxFuture<'_, Started> {
        let vision = &self.vision;
        let is_there = request.provider == vision.provider && request.model == vision.model;
        if is_there || !has_image(&request.messages) {
            return self.inner.complete(request, context);
        }
        request.provider = vision.provider.clone();
        request.model = vision.model.clone();
        request.options = self.options.clone();
        async move {
            let rest = self.inner.complete(request, context).await?;
            let news = ModelNews::Routed { to: vision.clone(), task: "vision".to_owned() };
            Ok(announced(vec![ModelEvent::News(news)], rest))
        }
        .boxed()
    }
}
