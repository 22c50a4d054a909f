#include "src/server/cluster_bus.h"

#include <unistd.h>

#include <climits>
#include <utility>

#include "src/base/log.h"
#include "src/base/parse_number.h"

namespace hearth {
namespace {

using cluster::BusSettings;
using config::Settings;

cluster::EndpointType endpoint_type(config::EndpointType type) {
  switch (type) {
    case config::EndpointType::kIp: return cluster::EndpointType::kIp;
    case config::EndpointType::kHostname: return cluster::EndpointType::kHostname;
    case config::EndpointType::kUnknown: break;
  }
  return cluster::EndpointType::kUnknown;
}

std::uint16_t bus_port(const Settings& s) {
  return s.cluster_port != 0 ? s.cluster_port
                             : static_cast<std::uint16_t>(s.port + cluster::kBusPortOffset);
}

// "host:port" or "[address]:port"; the registry has checked it.
cluster::Seed parse_seed(const std::string& text) {
  cluster::Seed seed;
  const std::size_t colon = text.rfind(':');
  seed.host = text.substr(0, colon);
  if (seed.host.size() > 2 && seed.host.front() == '[' && seed.host.back() == ']') {
    seed.host = seed.host.substr(1, seed.host.size() - 2);
  }
  seed.port =
      static_cast<std::uint16_t>(parse_int64(std::string_view(text).substr(colon + 1)).value_or(0));
  seed.cport = static_cast<std::uint16_t>(seed.port + cluster::kBusPortOffset);
  return seed;
}

BusSettings bus_settings(const Settings& s) {
  BusSettings b;
  b.node_timeout = s.cluster_node_timeout;
  b.ping_interval = s.cluster_ping_interval;
  b.forget_ban = s.cluster_blacklist_ttl;
  b.require_full_coverage = s.cluster_require_full_coverage;
  b.no_failover = s.cluster_replica_no_failover;
  b.replica_validity_factor = s.cluster_replica_validity_factor;
  b.repl_ping_period = s.repl_ping_replica_period;
  b.manual_failover_timeout = s.cluster_manual_failover_timeout;
  b.allow_replica_migration = s.cluster_allow_replica_migration;
  b.migration_barrier = s.cluster_migration_barrier;
  b.announced.ip = s.cluster_announce_ip;
  b.announced.port = s.cluster_announce_port != 0 ? s.cluster_announce_port : s.port;
  b.announced.tls_port = s.cluster_announce_tls_port;
  b.announced.cport = s.cluster_announce_bus_port != 0 ? s.cluster_announce_bus_port : bus_port(s);
  b.hostname = s.cluster_announce_hostname;
  b.human_name = s.cluster_announce_human_nodename;
  b.client_ipv4 = s.cluster_announce_client_ipv4;
  b.client_ipv6 = s.cluster_announce_client_ipv6;
  b.redirect.endpoint_type = endpoint_type(s.cluster_preferred_endpoint_type);
  b.redirect.reads_when_down = s.cluster_allow_reads_when_down;
  b.redirect.shard_pubsub_when_down = s.cluster_allow_pubsubshard_when_down;
  for (const std::string& seed : s.cluster_seeds) {
    if (b.seeds.size() < cluster::kSeedsMax) b.seeds.push_back(parse_seed(seed));
  }
  b.expected_size = s.cluster_expected_size;
  b.replicas_per_shard = s.cluster_replicas_per_shard;
  return b;
}

// The working directory may change while running; the file stays where it was opened.
std::string absolute_path(const std::string& name) {
  char cwd[PATH_MAX];
  if (name.starts_with('/') || getcwd(cwd, sizeof cwd) == nullptr) return name;
  return std::string(cwd) + "/" + name;
}

}  // namespace

Result<void> ClusterBus::start(ClusterData::Parts parts) {
  Services& services = parts.engine->services();
  data_.emplace(std::move(parts));
  const Settings& s = options_.config->settings();
  if (s.cluster_port == 0 && s.port + cluster::kBusPortOffset > UINT16_MAX) {
    return fail(ErrorCode::kInvalid,
                "The port of the cluster bus would be above 65535: set cluster-port");
  }
  cluster::DriverOptions d;
  d.settings = bus_settings(s);
  d.nodes_path = absolute_path(s.cluster_config_file);
  d.bind = s.bind;
  d.listen_port = bus_port(s);
  d.listen_mark = s.socket_mark_id;
  d.source_address = s.bind_source_addr;
  d.seed = options_.seed;
  d.link_buffer_limit = s.cluster_link_sendbuf_limit;
  d.clock = options_.clock;
  d.disk = options_.disk;
  d.loading = true;
  d.data = [this] { return data_->state(); };
  d.on_view = [this](cluster::ViewPtr view) { data_->show(std::move(view)); };
  d.on_follow = [this](const cluster::action::Follow& action) { data_->follow(action); };
  d.on_lead = [this] { data_->lead(); };
  d.on_hold_writes = [this](bool on) { data_->hold_writes(on); };
  d.on_drop_keys = [this](const cluster::SlotSet& slots) { data_->drop_keys(slots); };
  d.on_deliver = [this](const std::string& channel, const std::string& message, bool shard) {
    data_->deliver(channel, message, shard);
  };
  HEARTH_TRY(driver_, cluster::Driver::start(options_.loop, std::move(d)));
  services.relay = this;
  follow_settings();
  return {};
}

void ClusterBus::follow_settings() {
  options_.config->on_any_change([this](const Settings& s) -> Result<void, std::string> {
    if (driver_ == nullptr) return {};
    driver_->change_settings(bus_settings(s));
    driver_->set_link_buffer_limit(s.cluster_link_sendbuf_limit);
    return {};
  });
}

void ClusterBus::data_loaded() {
  data_->loaded(*driver_->view());
  driver_->set_loading(false);
}

std::optional<cluster::AdminReply> ClusterBus::administer(cluster::AdminRequest request,
                                                          Later later) {
  return driver_->admin(std::move(request), std::move(later));
}

void ClusterBus::drop_messages(int type) {
  disturbance_.dropped_type = type;
  driver_->disturb(disturbance_);
}

void ClusterBus::close_on_drop(bool on) {
  disturbance_.close_on_drop = on;
  driver_->disturb(disturbance_);
}

void ClusterBus::publish(std::string_view channel, std::string_view payload, bool shard) {
  if (driver_ != nullptr) driver_->publish(channel, payload, shard);
}

}  // namespace hearth
