use super::*;

#[tokio::test]
async fn each_beginning_of_leadership_is_told_once() {
    let (sender, receiver) = watch::channel(Leadership::Waiting);
    let mut begun = Box::pin(begun(receiver));
    for leads in [Leadership::Leading, Leadership::Lost, Leadership::Leading] {
        sender.send(leads).unwrap();
        if leads == Leadership::Leading {
            assert_eq!(begun.next().await, Some(()));
        }
    }
    drop(sender);
    assert_eq!(begun.next().await, None);
}

#[tokio::test]
async fn the_only_replica_leads_from_the_start_and_to_the_end() {
    let elections = Elections::Unopposed(watch::Sender::new(Leadership::Leading));
    let leadership = elections.leadership();
    assert_eq!(*leadership.borrow(), Leadership::Leading);
    let ended = CancellationToken::new();
    ended.cancel();
    elections.run(ended).await;
}
