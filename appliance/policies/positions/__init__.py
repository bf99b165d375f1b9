"""Consumers across a switch: what keeps every kind of consumer at the record where it was.

A consumer keeps its position in memory, and a switch changes what a position means. Three things go wrong by
themselves, and each has its remedy here, one a file:

 - members of a new group protocol are told that their group does not exist, which is fatal in some libraries:
   `rejoin` tells them that the group does not know them, and they join; `heartbeats` lets them hear of it soon;
 - members of any group fetch on at their old positions until their coordinator disowns them: `hold_fetch` lets their
   Fetch find nothing new until the group has given them positions of the new side. `members` knows who they are;
 - consumers without a group never learn: `continuous` shows all clients one space of offsets that goes on across
   switches. `offset_map` is that space's likeness in one cluster, `offset_maps` has them for all clusters.

Some hold for producers as well, or only for them: `topic_ids` keeps the ids of topics, by which clients tell a topic
from one that was made anew; `sequences` lets idempotent producers come back to a cluster that has known them before;
`transactions` lets transactional producers begin again, whose ids (`transactional_ids`) the new side does not know;
`rebootstrap` tells the clients that were named for it to start over.

`leader_epochs` lets leader epochs go on rising, or clients would not believe the new side's Metadata. `beginnings`
gives groups that have no offsets on the new side the beginning that was declared. `way_back` says where logs ended when
a cluster was left.

`positions` puts them together for one virtual cluster: what has nothing to do is not on the route at all. Everything
here is told how often the virtual cluster was switched, and asks a question's `knowledge.cluster` on which side it
stands: for a moment after a switch connections to both sides are alive.
"""
