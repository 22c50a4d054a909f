// The inside of the bus machine: what a node knows, and the primitive changes of it that keep the
// indexes true. The rules of the protocol are in the files named after them.
//
// Invariants: owner[s] == n exactly if n->slots has s; links[id].node == n exactly if n->link or
// n->inbound is id; myself is in nodes and carries kMyself; no pointer to a node outlives
// remove_node.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cluster/bus/actions.h"
#include "cluster/bus/inputs.h"
#include "cluster/bus/limits.h"
#include "cluster/bus/settings.h"
#include "cluster/model/admin.h"
#include "cluster/model/message.h"
#include "cluster/model/view.h"
#include "src/base/random.h"

namespace hearth::cluster::bus {

// Milliseconds of the steady clock. Ages are plain differences; kNever is older than any age asked.
using Ms = std::int64_t;
inline constexpr Ms kNever = -(Ms{1} << 60);

// How a node came into the table. Until it has answered on a link to its address it carries
// kHandshake: it is not gossiped, not saved, not counted, and goes after a time-out.
enum class Origin : std::uint8_t {
  kCalled,    // nodes.conf, CLUSTER MEET, a seed
  kStranger,  // its own MEET; the id is made up until it answers
  kHearsay,   // gossip of a member, with its real id
  kAsked,     // a seed that is asked whether it is a node known already; nobody else joins by it
};

struct Node {
  NodeId id;
  Origin origin = Origin::kCalled;
  NodeId told_by;         // kHearsay: by whom
  int told = 0;           // hearsay nodes of which this node told and that have not answered yet
  bool reported = false;  // it has reported failures of others
  Address address;
  std::string hostname;
  std::string human_name;
  std::string client_ipv4;
  std::string client_ipv6;
  NodeId shard_id;
  NodeFlags flags = 0;
  NodeId replica_of;
  NodeId promoted_from;  // the primary whose replica it was until it became one itself
  Epoch config_epoch = 0;
  std::uint64_t replication_offset = 0;
  SlotSet slots;
  int slot_count = 0;
  // Of its slots those that it stopped claiming itself. Any other claim may take them, whatever
  // its epoch.
  SlotSet unclaimed;

  Ms created = 0;
  Ms ping_sent = kNever;  // of the ping that waits for its pong, or since when it is unreachable
  Ms pong_received = kNever;
  Ms data_received = kNever;
  Ms failed_since = kNever;
  Ms met_at = kNever;                    // when the last MEET or handshake PING went out
  std::map<NodeId, Ms> failure_reports;  // by reporting primary

  LinkId link = 0;     // outgoing
  LinkId inbound = 0;  // the newest incoming one that it identified itself on
  // Of a hearsay node: the newest incoming link whose sender says that it is this node.
  LinkId claimed_inbound = 0;
  Ms open_at = kNever;            // not before this time is its link opened
  int open_failures = 0;          // since its last connection
  std::uint64_t gossip_mark = 0;  // the last heartbeat that tells of it: State::gossip_serial
  // The handshake began with my MEET and no link of the peer has come back: it may not know me.
  bool awaits_return_link = false;
  // A primary with slots: since when it has no replica that works, though it once had one.
  Ms orphaned_since = kNever;
  // As a primary whose replicas ask for votes: whom this node voted for, and when.
  NodeId voted_for;
  Ms voted_at = kNever;
  // The last request for a vote that came while this node was not known to have failed.
  struct EarlyRequest {
    NodeId candidate;
    MessageHeader header;
    Ms at = kNever;
  };
  std::unique_ptr<EarlyRequest> early_request;
  Ms suspected_since = kNever;  // of kPfail
  BalanceNews balance;          // as it told last
  Ms balance_heard = kNever;

  [[nodiscard]] bool has(NodeFlags flag) const { return (flags & flag) != 0; }
  void set(NodeFlags flag) { flags = static_cast<NodeFlags>(flags | flag); }
  void unset(NodeFlags flag) { flags = static_cast<NodeFlags>(flags & ~flag); }
  [[nodiscard]] bool is_primary() const { return has(node_flag::kPrimary); }
  [[nodiscard]] bool is_replica() const { return has(node_flag::kReplica); }
  // Primaries with slots decide about failures and elections.
  [[nodiscard]] bool votes() const { return is_primary() && slot_count > 0; }
};

struct Link {
  LinkId id = 0;
  Node* node = nullptr;  // outgoing: whom it was opened for; incoming: who identified itself
  bool inbound = false;
  bool connected = false;
  bool takes_extensions = false;  // as the last header on it said
  Ms opened = 0;
  Ms data_received = kNever;
  std::string peer_ip;
  std::string local_ip;
};

// Self-formation: formation.cc.
struct Formation {
  FormationState state;
  struct Peer {  // what a forming peer said last
    int expected_size = 0;
    std::uint64_t candidate = 0;  // digest of the member set it would promise
    Ms heard = kNever;
    bool promised = false;
    std::uint64_t round = 0;  // of its promise
    Epoch epoch = 0;
    std::vector<NodeId> members;
  };
  std::map<NodeId, Peer> peers;
  struct SeedState {
    std::set<NodeId> nodes;       // who answered there, ever; I may be among them
    std::set<NodeId> handshakes;  // made-up ids of the handshakes under way
    Ms tried = kNever;
  };
  std::vector<SeedState> seeds;  // parallel to settings.seeds
  std::uint64_t candidate = 0;   // digest of my member set; 0: none
  Ms candidate_since = kNever;
  Ms told = kNever;
};

// The attempt of this replica to take its primary's place: failover.cc.
struct Election {
  enum class Phase : std::uint8_t {
    kNone,
    kWaiting,  // until ask_at: replicas with more data go first
    kAsking,   // votes of `epoch` come in
  };
  Phase phase = Phase::kNone;
  Ms ask_at = kNever;
  int rank = 0;
  int attempts = 0;  // since the primary failed
  Ms asked_at = kNever;
  Epoch epoch = 0;
  std::set<NodeId> votes;
  std::string_view told;  // the last reason for not standing, so that it is logged once
};

// A failover that an administrator asked for: failover.cc.
struct ManualFailover {
  Ms ends = kNever;  // kNever: none is under way
  // On the primary.
  NodeId replica;             // who takes over
  bool told_replica = false;  // writes are held, and it was told where they ended
  // On the replica.
  std::optional<std::uint64_t> held_at;  // the offset at which the primary holds its writes
  bool may_start = false;

  [[nodiscard]] bool is_under_way() const { return ends != kNever; }
};

// A plan of CLUSTER RECOVER that this node made: recovery.cc.
struct Recovery {
  Ms ends = kNever;  // until when it is repeated; kNever: there is none
  Ms told = kNever;
  Epoch last = 0;  // the greatest of the plan
  std::vector<NodeId> lost;
  std::map<NodeId, Epoch> epochs;  // of the nodes that stay
};

struct State {
  State(BusSettings s, std::uint64_t seed) : settings(std::move(s)), rng(seed) {}

  BusSettings settings;
  Rng rng;
  Now now;
  Ms now_ms = 0;

  std::map<NodeId, Node> nodes;
  Node* myself = nullptr;
  std::array<Node*, kSlotCount> owner{};
  std::map<Slot, Node*> migrating;
  std::map<Slot, Node*> importing;
  // A replica's open slots whose other node is not known yet, by slot and whether it imports.
  std::map<std::pair<Slot, bool>, NodeId> unplaced;
  std::map<Slot, Ms> given_up;  // slots that are imported and that nobody claims, since when
  std::map<LinkId, Link> links;
  std::set<LinkId> unknown_links;  // incoming, nobody identified; the smallest is the oldest
  LinkId next_link = 2;
  NodeId last_opened;  // where the spread opening of links goes on
  // Handshakes by Origin, and all nodes of the table for random picks.
  std::array<std::size_t, 4> handshakes{};
  // Where handshakes are under way. Hearsay is not among them: what gossip says of an address is no
  // reason not to ask who is there.
  std::set<std::pair<std::string, std::uint16_t>> called;
  std::vector<Node*> roster;
  std::uint64_t gossip_serial = 0;
  std::set<NodeId> suspects;    // nodes with kPfail
  std::map<NodeId, Ms> banned;  // forgotten nodes, until when gossip may not bring them back

  Epoch current_epoch = 0;
  Epoch last_vote_epoch = 0;
  ClusterState cluster_state = ClusterState::kFail;
  int size = 0;
  Ms started = 0;
  Ms majority_since = kNever;  // since when most of the voting primaries are heard
  bool lost_majority = false;  // in this life, by their silence or by its own
  bool has_news_of_suspects = false;
  Ms suspects_told = kNever;  // to the other primaries, apart from the usual heartbeats
  std::uint64_t ticks = 0;
  Ms last_tick = kNever;
  BusStats stats;
  Formation formation;
  Election election;
  ManualFailover manual;
  Recovery recovery;
  // The primary that the driver was told to follow last; none: nobody.
  struct Followed {
    NodeId primary;
    std::string host;
    std::uint16_t port = 0;
    friend bool operator==(const Followed&, const Followed&) = default;
  };
  std::optional<Followed> followed;
  // Where this empty primary is about to become a replica; null: nowhere.
  NodeId place;
  Ms place_since = kNever;
  bool draining = false;  // gives its slots away: balance.cc
  // The data is of another shard than the primary's, until that one's has been copied: offsets in
  // the two streams can't be compared.
  bool awaits_data = false;

  // --- the disk
  // This node as the disk has it, or is being given it: headers tell no more than that.
  struct Durable {
    Epoch current_epoch = 0;
    Epoch config_epoch = 0;
    NodeId replica_of;
    SlotSet slots;
  };
  std::optional<Durable> durable;  // none: the disk does not know of this node yet
  Durable being_saved;
  bool saving = false;        // an action::Persist is not answered yet
  std::uint64_t wanted = 0;   // counts the changes that peers may only hear of when they are saved
  std::uint64_t saved = 0;    // `wanted` as of the newest save that succeeded
  std::uint64_t in_save = 0;  // `wanted` as of the save under way
  std::uint64_t pong_after_save = 0;   // everyone is to hear of this change at once; 0: of none
  std::uint64_t serve_after_save = 0;  // a promotion is this change: no client runs before that
  struct Held {                        // a message that waits for the disk
    std::uint64_t until_saved = 0;
    LinkId link = 0;
    std::shared_ptr<Message> message;
    Epoch epoch = 0;  // current, when it was made: votes are of one epoch
  };
  std::vector<Held> held;

  // Collected during a step.
  std::vector<Action> out;
  std::vector<std::shared_ptr<Message>> headless;  // sent in this step, header to be filled in
  SlotSet dirty_slots;
  bool save_now = false;   // before anything of this step leaves
  bool save_soon = false;  // with the next tick, or with the next save_now
  // The view differs from the published one. Now: in what decides where a command runs; else in
  // what can wait for the next tick.
  bool view_changed = true;
  bool view_changed_now = true;
  bool check_state = false;
  bool disk_failed = false;  // by the last save; one more is tried each tick
  bool loading = false;
  bool data_judged = false;        // once it was loaded; see short_data.cc
  Ms heir_awaited_since = kNever;  // by a primary that lacks data; nothing is sent meanwhile
  [[nodiscard]] bool awaits_heir() const { return heir_awaited_since != kNever; }
  int log_lines_left = limits::kLogLinesPerSecond;  // in this second
  std::uint64_t log_lines_dropped = 0;

  // --- nodes
  [[nodiscard]] Node* find(const NodeId& id);
  [[nodiscard]] Node* find(std::string_view id);  // null for text that is no id
  // The id must be new, and the table must have room: has_room().
  Node& add_node(const NodeId& id, NodeFlags flags);
  [[nodiscard]] bool has_room() const { return nodes.size() < limits::kNodesMax; }
  // Whether one more node that has not answered yet may be kept. `teller`: for kHearsay.
  [[nodiscard]] bool may_shake_hands(Origin origin, const Node* teller) const;
  Node& add_handshake(const NodeId& id, Origin origin, Node* teller, NodeFlags more = 0);
  // It answered: a full member of the table from now on.
  void confirm(Node& node);
  void end_handshake(Node& node);
  // The node's slots become unowned, its links are closed, every trace of it goes.
  void remove_node(Node& node);
  void rename_node(Node& node, const NodeId& id);
  // The primary whose slots and epoch count for `node`: itself, or what it replicates. May be null.
  [[nodiscard]] Node* primary_of(Node& node);

  // --- slots
  void give_slot(Node& node, Slot slot);
  void take_slot(Slot slot);
  void take_all_slots(Node& node);

  // --- links and messages
  [[nodiscard]] Link* find_link(LinkId id);
  [[nodiscard]] bool is_connected(const Node& node);
  void open_link(Node& node);
  void close_link(LinkId id);  // and tell the driver
  void drop_link(LinkId id);   // the driver knows already
  [[nodiscard]] MessageHeader header();
  // Headers are filled in at the end of the step, out of what is on the disk. A message that itself
  // tells of something that is not there yet waits for it.
  void send(Link& link, const std::shared_ptr<Message>& message);
  void send(Link& link, MessageType type, decltype(Message::body) body = {});
  // To the node's outgoing link, if that is connected.
  void send(Node& node, MessageType type, decltype(Message::body) body = {});
  // To every node that is neither me nor a handshake, over outgoing links.
  void broadcast(MessageType type, decltype(Message::body) body = {});
  void send_heartbeat(Link& link, MessageType type);
  void broadcast_pong();
  // The same, once everything that changed so far is saved.
  void broadcast_pong_when_saved() { pong_after_save = wanted; }
  [[nodiscard]] bool is_saved() const { return saved == wanted; }

  // --- marks
  // must_save: my epochs, votes, claims and promises, which peers may only hear of once they are on
  // the disk. may_save: what I learned of others, or gave up; after a crash the others tell it
  // again.
  void must_save() {
    save_now = view_changed = true;
    ++wanted;
  }
  void may_save() { save_soon = view_changed = true; }
  void publish_now() { view_changed = view_changed_now = true; }
  void note(log::Level level, std::string text);

  [[nodiscard]] Ms timeout() const { return settings.node_timeout.count(); }
  [[nodiscard]] Ms age(Ms since) const { return now_ms - since; }
};

// "<id> (<human name>)": how log lines name a node.
[[nodiscard]] std::string named(const Node& node);
// Names from peers go into nodes.conf and replies, so only harmless characters pass.
[[nodiscard]] bool is_safe_name(std::string_view text);
[[nodiscard]] bool is_safe_ip(std::string_view text);

// --- heartbeat.cc: links, pings, time-outs
void on_tick(State& s);
void on_link_accepted(State& s, const input::LinkAccepted& in);
void on_link_connected(State& s, const input::LinkConnected& in);
void on_link_closed(State& s, LinkId link);
// Begins a handshake with whoever answers at the address. Null if one is under way or the address
// is not one.
Node* start_handshake(State& s, const Address& address, Origin origin, NodeFlags extra_flags);

// --- packet.cc
void on_message(State& s, Link& link, const Message& message);

// --- gossip.cc
// For whoever is at the other end of the link, who need not be known yet.
[[nodiscard]] PingBody make_gossip(State& s, const Link& link);
void learn_gossip(State& s, Node& sender, const PingBody& body);
void learn_extensions(State& s, Node& sender, const Extensions& extensions);
bool update_address(State& s, Node& node, Address current);

// --- failure_detector.cc
void check_timeouts(State& s, Node& node);
void on_node_alive(State& s, Node& node);
// The node, a primary, has taken a new epoch.
void on_new_epoch(State& s, Node& node);
void add_failure_report(State& s, Node& about, Node& by);
void remove_failure_report(State& s, Node& about, const Node& by);
[[nodiscard]] int count_failure_reports(State& s, Node& about);  // forgets old ones
[[nodiscard]] int votes_needed(const State& s);
// A majority is wanted soon: the other primaries hear at once whom this one suspects.
void tell_suspects(State& s);
void fail_if_agreed(State& s, Node& node);
void on_fail_message(State& s, const Node& sender, const NodeId& failed);
void update_cluster_state(State& s);
// The majority was heard for long enough: an election that was won without this node, and took its
// slots, is known here.
[[nodiscard]] bool knows_the_majority(const State& s);

// --- slot_claims.cc
// Takes what `sender`, a primary, claims with `epoch`, as far as its epoch is the greater one.
void learn_claims(State& s, Node& sender, Epoch epoch, const SlotSet& claimed);
// Sends one UPDATE to a sender whose claims are older than what I know.
void correct_stale_claims(State& s, Link& link, Node& sender, Epoch epoch, const SlotSet& claimed);
void on_update_message(State& s, const Node& sender, const UpdateBody& body);
void become_primary(State& s, Node& node);
void become_replica(State& s, Node& node, const MessageHeader& header);
[[nodiscard]] SlotSet slots_claimed_by(const Node& node);
// Whether the node took the place of the other one: it was its replica, or is of its shard.
[[nodiscard]] bool succeeds(const Node& node, const Node& before);

// --- open_slots.cc
// A replica's, for its primary.
void open_slot(State& s, const OpenSlot& open);
void adopt_open_slots(State& s, const std::vector<OpenSlot>& all);
void close_slot(State& s, Slot slot);
void close_all_slots(State& s);
// After a promotion: those that fit to what this node owns.
void keep_own_open_slots(State& s);
// The owner's heartbeat claims less than before.
void note_given_up(State& s, const Node& owner);
void tick_open_slots(State& s);

// --- epochs.cc
// A new epoch of my own without asking anyone; false if mine is the greatest already.
bool bump_my_epoch(State& s);
void resolve_epoch_collision(State& s, const Node& sender);
[[nodiscard]] Epoch greatest_epoch(const State& s);

// --- election.cc
void vote_if_due(State& s, Node& candidate, const MessageHeader& request);
// A replica of the failed node may have asked before the news of the failure was here.
void vote_late(State& s, Node& failed);
// How long votes for an attempt are counted, and an epoch's votes keep others from asking.
[[nodiscard]] Ms attempt_time(const State& s);

// --- failover.cc
// Goes on with what is under way; at the end of every step.
void advance_failover(State& s, bool is_tick);
// This replica is the primary of its primary's slots from now on.
void promote(State& s, Epoch epoch);
void on_vote(State& s, const Node& voter, const MessageHeader& header);
void on_manual_failover_request(State& s, Node& sender, const MessageHeader& header);
// A heartbeat of my primary: it may tell where its writes are held.
void learn_held_offset(State& s, const Node& sender, const MessageHeader& header);
void end_failover(State& s);
[[nodiscard]] AdminReply fail_over(State& s, const admin::Failover& in);
// Asks the replica with the most data to take over, as if an administrator did.
[[nodiscard]] AdminReply hand_over(State& s);
void on_failover_message(State& s, const Node& sender, const ModuleBody& body);

// --- replica.cc
// This node becomes a replica of that primary, whatever it was; it has no slots.
void follow_node(State& s, Node& primary);
// Tells the driver whom the data follows, if that changed.
void tell_followed(State& s);
// How much of its shard's stream this node has: what it tells others, and what elections compare.
[[nodiscard]] std::uint64_t own_offset(const State& s);
// All slots of this node's shard went to `taker`, or the last of them did.
void follow_successor(State& s, Node& taker, Node& before);
// My primary's place in the cluster may have changed.
void mend_own_primary(State& s);
void tick_replicas(State& s);

// short_data.cc
void judge_loaded_data(State& s);
void tick_short_data(State& s);
void note_has_replica(State& s, const NodeId& primary);
[[nodiscard]] AdminReply replicate(State& s, const admin::Replicate& in);
[[nodiscard]] AdminReply replicate_no_one(State& s);
void give_data_up(State& s);

// --- admin.cc
[[nodiscard]] AdminReply administer(State& s, const AdminRequest& request);
void ban(State& s, const NodeId& id, Ms length);

// --- balance.cc
[[nodiscard]] AdminReply drain(State& s, const admin::Drain& in);
[[nodiscard]] AdminReply tell_balance(State& s, const admin::TellBalance& in);
void on_balance_message(State& s, Node& sender, const ModuleBody& body);
// Whether the node gives its slots away, as far as this one has heard lately.
[[nodiscard]] bool is_draining(const State& s, const Node& node);
// Its news, unless they are too old to count; null: none.
[[nodiscard]] const BalanceNews* balance_of(const State& s, const Node& node);

// --- recovery.cc
[[nodiscard]] AdminReply recover(State& s, const admin::Recover& in);
void tick_recovery(State& s);
void on_recovery_message(State& s, const Node& sender, const ModuleBody& body);
// For CLUSTER INFO; empty: nothing is to be recovered.
[[nodiscard]] std::string recovery_hint(const State& s);

// --- own_address.cc
void learn_own_ip(State& s, const Link& link, MessageType type);
void check_own_ip(State& s);
// Asks the seeds where the others are, when none of them answers at the address known of it.
void ask_seeds_if_alone(State& s);

// --- formation.cc
void start_formation(State& s);  // a node without nodes.conf
void resume_formation(State& s);
void tick_formation(State& s);
void on_formation_message(State& s, Node& sender, const ModuleBody& body);
void on_seed_resolved(State& s, const input::SeedResolved& in);
void on_handshake_done(State& s, const NodeId& made_up, const NodeId& real);
void stop_formation(State& s, std::string_view why);
void release_promise_to(State& s, const NodeId& forgotten);
[[nodiscard]] bool is_forming(const State& s);

// --- view_builder.cc
[[nodiscard]] View build_view(const State& s);
// The view for the disk, without slots that their owner does not claim any more. After a restart
// they would look like claims under the owner's present epoch.
[[nodiscard]] View build_durable_view(const State& s);
// The part of that view that peers may hear of this node.
[[nodiscard]] State::Durable durable_part(const State& s);
void restore(State& s, const View& saved);

}  // namespace hearth::cluster::bus
