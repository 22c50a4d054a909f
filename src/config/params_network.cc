#include "src/config/tables.h"

namespace hearth::config {
namespace {

const char* zero_only(std::string_view text) {
  return text == "0" ? nullptr : "TLS is not part of this build";
}
const char* no_tls(std::string_view text) {
  return text == "no" ? nullptr : "TLS is not part of this build";
}

template <std::size_t Class>
void put_limit(OutputBufferLimit& limit, const Value& value) {
  limit.hard_bytes = std::stoull(value.items[Class * 4 + 1]);
  limit.soft_bytes = std::stoull(value.items[Class * 4 + 2]);
  limit.soft_time = seconds{std::stoll(value.items[Class * 4 + 3])};
}
void put_limits(Settings& s, const Value& value) {
  put_limit<0>(s.client_output_buffer_limit[0], value);
  put_limit<1>(s.client_output_buffer_limit[1], value);
  put_limit<2>(s.client_output_buffer_limit[2], value);
}
void put_client_memory(Settings& s, const Value& value) {
  const bool share = !value.text.empty() && value.text.back() == '%';
  s.maxmemory_clients = {};
  if (share) {
    s.maxmemory_clients.percent = static_cast<unsigned>(value.number);
  } else {
    s.maxmemory_clients.bytes = static_cast<std::uint64_t>(value.number);
  }
}

using S = Settings;

constexpr Parameter kNetwork[] = {
    {"bind",
     "",
     {.kind = Kind::kWords},
     "* -::*",
     Flag::kNone,
     put<&S::bind>,
     "Addresses to listen on. \"*\" is every IPv4 address and \"::*\" every IPv6 address; a '-' "
     "before an address means that the server starts even if the address is not available."},
    {"bind-source-addr", "", text(), "", Flag::kNone, put<&S::bind_source_addr>,
     "Local address from which connections to other nodes are made. Empty lets the system choose."},
    {"port", "", integer(0, 65535), "6379", Flag::kNone, put<&S::port>,
     "TCP port for clients. 0 listens on no TCP port."},
    {"tcp-backlog", "", integer(0, kIntMax), "511", kImm, put<&S::tcp_backlog>,
     "Length of the queue of connections that wait to be accepted. The kernel caps it at "
     "net.core.somaxconn."},
    {"unixsocket", "", text(), "", kImm, put<&S::unixsocket>,
     "Path of a Unix socket for clients. Empty opens none."},
    {"unixsocketperm",
     "",
     {.kind = Kind::kOctal, .min = 0, .max = 0777},
     "0",
     kImm,
     put<&S::unixsocketperm>,
     "Permission bits of the Unix socket, octal. 0 leaves what umask gives."},
    {"unixsocketgroup", "", text(), "", kImm, put<&S::unixsocketgroup>,
     "Group that owns the Unix socket. Empty leaves the group of the process."},
    {"timeout", "", integer(0, kIntMax), "0", Flag::kNone, put<&S::timeout>,
     "Seconds after which an idle client is disconnected. 0 never."},
    {"tcp-keepalive", "", integer(0, kIntMax), "300", Flag::kNone, put<&S::tcp_keepalive>,
     "Seconds of silence after which the kernel probes whether the other side of a client "
     "connection is still there. 0 switches probing off."},
    {"protected-mode", "", boolean(), "yes", Flag::kNone, put<&S::protected_mode>,
     "While no password is set, refuse clients that do not come from this host."},
    {"maxclients", "", integer(1, 4294967295), "10000", Flag::kNone, put<&S::maxclients>,
     "Most client connections at one time; a further one gets an error and is closed."},
    {"max-new-connections-per-cycle", "", integer(1, 1000), "10", Flag::kNone,
     put<&S::max_new_connections_per_cycle>,
     "Most connections that are accepted before the connected clients get their turn."},
    {"max-new-tls-connections-per-cycle", "", integer(1, 1000), "1", kIdle, nullptr,
     "The same for TLS connections."},
    {"client-output-buffer-limit",
     "",
     {.kind = Kind::kBufferLimits},
     "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
     Flag::kNone,
     put_limits,
     "Disconnects clients that do not read their replies: class (normal, replica, pubsub), hard "
     "limit, soft limit, and the seconds for which the soft limit may be passed. 0 is no limit. A "
     "hard "
     "limit of replicas below repl-backlog-size counts as that."},
    {"client-query-buffer-limit", "", memory(1024 * 1024), "1073741824", Flag::kNone,
     put<&S::client_query_buffer_limit>,
     "Most bytes of unfinished input that a client may have; more disconnects it."},
    {"proto-max-bulk-len", "", memory(1024 * 1024), "536870912", Flag::kNone,
     put<&S::proto_max_bulk_len>, "Longest single argument, and longest string value."},
    {"maxmemory-clients",
     "",
     {.kind = Kind::kMemoryOrPercent},
     "0",
     Flag::kNone,
     put_client_memory,
     "Most memory of all client connections together, in bytes or as a percentage of maxmemory; "
     "the "
     "largest clients are disconnected to get below it. 0 is no limit."},
    {"io-uring", "", boolean(), "yes", Flag::kNone, put<&S::io_uring>,
     "Read at the start: whether clients' sockets are read and written through io_uring, which "
     "takes less CPU time. Needs Linux 6.1; where the kernel does not have or allow it, and with "
     "no, epoll serves them."},
    {"io-uring-wait", "", integer(0, 1000), "0", Flag::kNone, put<&S::io_uring_wait>,
     "0: nobody waits for others, what is there is run together. Otherwise microseconds for which "
     "a wait on io_uring, while the server takes more than 40 % of a core, lets as many requests "
     "come as the turn before had: CPU time bought with latency. Needs Linux 6.12."},
    {"io-threads", "", integer(1, 128), "1", kImm | kIdle, nullptr,
     "One thread reads requests, runs them and writes replies."},
    {"io-threads-do-reads", "", boolean(), "no", kIdle, nullptr, "There are no I/O threads."},
    {"events-per-io-thread", "", integer(0, kIntMax), "2", Flag::kHidden | kIdle, nullptr,
     "There are no I/O threads."},
    {"io-threads-always-active", "", boolean(), "no", Flag::kHidden | kIdle, nullptr,
     "There are no I/O threads."},
    {"prefetch-batch-max-size", "", integer(0, 128), "16", kIdle, nullptr,
     "Requests of one read are always prefetched together."},
    {"socket-mark-id", "", integer(0, 4294967295), "0", kImm, put<&S::socket_mark_id>,
     "Mark (SO_MARK) of the sockets that listen, for routing and filters; it takes the capability "
     "CAP_NET_ADMIN. 0: none."},
    {"client-default-resp", "", integer(2, 3), "2", Flag::kHidden, put<&S::client_default_resp>,
     "The protocol that new connections speak until they send HELLO."},
    {"req-res-logfile", "", text(), "", kImm | Flag::kHidden | kIdle, nullptr,
     "Requests and replies are not recorded."},
};

constexpr Choice kTlsClients[] = {{"no"}, {"yes"}, {"optional"}};
constexpr Choice kTlsUser[] = {{"off"}, {"cn"}};

constexpr Parameter kTls[] = {
    {"tls-port",
     "",
     {.kind = Kind::kInteger, .min = 0, .max = 65535, .check = zero_only},
     "0",
     kIdle,
     nullptr,
     "Must be 0: this build has no TLS."},
    {"tls-replication",
     "",
     {.kind = Kind::kBool, .check = no_tls},
     "no",
     kIdle,
     nullptr,
     "Must be no: this build has no TLS."},
    {"tls-cluster",
     "",
     {.kind = Kind::kBool, .check = no_tls},
     "no",
     kIdle,
     nullptr,
     "Must be no: this build has no TLS."},
    {"tls-auth-clients", "", choice(kTlsClients), "yes", kIdle, nullptr, "Unused without TLS."},
    {"tls-auth-clients-user", "", choice(kTlsUser), "off", kIdle, nullptr, "Unused without TLS."},
    {"tls-cert-file", "", text(), "", kIdle, nullptr, "Unused without TLS."},
    {"tls-key-file", "", text(), "", kIdle, nullptr, "Unused without TLS."},
    {"tls-key-file-pass", "", text(), "", kIdle | Flag::kSensitive, nullptr, "Unused without TLS."},
    {"tls-client-cert-file", "", text(), "", kIdle, nullptr, "Unused without TLS."},
    {"tls-client-key-file", "", text(), "", kIdle, nullptr, "Unused without TLS."},
    {"tls-client-key-file-pass", "", text(), "", kIdle | Flag::kSensitive, nullptr,
     "Unused without TLS."},
    {"tls-dh-params-file", "", text(), "", kIdle, nullptr, "Unused without TLS."},
    {"tls-ca-cert-file", "", text(), "", kIdle, nullptr, "Unused without TLS."},
    {"tls-ca-cert-dir", "", text(), "", kIdle, nullptr, "Unused without TLS."},
    {"tls-protocols", "", text(), "", kIdle, nullptr, "Unused without TLS."},
    {"tls-ciphers", "", text(), "", kIdle, nullptr, "Unused without TLS."},
    {"tls-ciphersuites", "", text(), "", kIdle, nullptr, "Unused without TLS."},
    {"tls-prefer-server-ciphers", "", boolean(), "no", kIdle, nullptr, "Unused without TLS."},
    {"tls-session-caching", "", boolean(), "yes", kIdle, nullptr, "Unused without TLS."},
    {"tls-session-cache-size", "", integer(0, kIntMax), "20480", kIdle, nullptr,
     "Unused without TLS."},
    {"tls-session-cache-timeout", "", integer(0, kIntMax), "300", kIdle, nullptr,
     "Unused without TLS."},
};

}  // namespace

std::span<const Parameter> network_parameters() { return kNetwork; }
std::span<const Parameter> tls_parameters() { return kTls; }

}  // namespace hearth::config
