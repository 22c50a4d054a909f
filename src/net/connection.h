// Connection: one client. Bytes of its stream -> requests -> engine; the session's output -> bytes.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "src/command/session.h"
#include "src/net/client_stream.h"
#include "src/net/network.h"
#include "src/proto/request_parser.h"

namespace hearth::net {

class Connection final : private ClientStream::Owner {
 public:
  explicit Connection(Network& network) : network_(network) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // The owner that a stream for this connection is made with.
  [[nodiscard]] ClientStream::Owner& owner() { return *this; }
  void adopt(std::unique_ptr<ClientStream> stream) { stream_ = std::move(stream); }
  [[nodiscard]] Session* session() { return session_; }
  void bind_session(Session& session) {
    session_ = &session;
    session.connection = this;
  }
  void start_reading() { update_reading(); }
  // Starts writing the output; the rest follows as the socket takes it.
  void flush();
  // Runs what is unread, after the session was parked.
  void resume();
  // The same in the turn after one in which the client had its share.
  void take_turn();
  // Runs what was gathered of this connection.
  void run(Gathering::Part& part);
  // Turns the gathered requests of this connection into unread input again.
  void take_back();
  // Sends a last line to a client that is not admitted, then ends.
  void refuse(std::string_view line);
  // Ends the session and the stream. The object deletes itself when the stream is gone.
  void close();
  [[nodiscard]] bool closing() const { return closing_; }
  // Between hold() and release() the connection is not read, written or closed: its session runs a
  // script that lets others be served, and the script's arguments point into its buffers.
  void hold();
  void release();
  [[nodiscard]] bool held() const { return held_; }
  // Blocks the whole server: writes the pending output and `out`, then waits for input. False: the
  // client is gone, or a signal came.
  [[nodiscard]] bool exchange_blocking(std::string_view out, std::string& in) {
    return !closing_ && stream_->exchange_blocking(out, in);
  }
  // Handles a write that ended while the connection was held.
  void finish_held_write() { stream_->finish_held_write(); }
  // Gives memory of the input buffer back; see EngineHost::trim_buffers.
  void trim_input(bool idle);

 private:
  // --- ClientStream::Owner ---
  void client_sent(std::size_t bytes, bool more) override;
  void stream_moves() override;
  void input_ended(int error) override;
  void stream_took(std::size_t bytes) override;
  void stream_writable() override;
  void stream_ended(const ByteStream::End& end) override;
  void stream_gone() override;

  void count_input(std::size_t bytes);
  // `may_wait`: the requests may be gathered and run at the end of the turn.
  void receive(bool may_wait);
  // Parses and prepares what is complete in `data` from `from` on, up to a full batch.
  RequestParser::Status parse(std::string_view data, std::size_t from, RequestBatch& batch);
  // Runs `batch`, the first of `data`, which ended with `status`, and all complete requests behind
  // it; returns how many bytes they took.
  std::size_t process(std::string_view data, RequestBatch& batch, RequestParser::Status status);
  // The same, with the prefetches for the batch in front.
  std::size_t process_alone(std::string_view data, RequestBatch& batch,
                            RequestParser::Status status);
  // Whether the client has had its share of this turn; if so, the rest waits for the next one.
  bool used_up_share();
  // The first bytes of what is unread were run; the rest waits.
  void keep_rest(std::size_t consumed);
  void note_input();
  void update_reading();

  Network& network_;
  std::unique_ptr<ClientStream> stream_;
  Session* session_ = nullptr;
  RequestParser parser_;
  std::size_t input_peak_ = 0;           // bytes that were unread at once since it was trimmed last
  Gathering::Part* gathered_ = nullptr;  // what it sent in this turn and has not run
  std::size_t dying_bytes_ = 0;          // that it holds: see Sessions::released
  std::uint64_t turn_ = 0;               // in which it ran last...
  std::size_t ran_ = 0;                  // ...so many requests...
  std::uint64_t until_ = 0;              // ...and up to then at the most, in ticks...
  std::size_t out_before_ = 0;           // ...with so many bytes of output in front
  bool waits_for_turn_ = false;          // complete requests may be unread, for the next turn
  bool reading_ = false;
  bool closing_ = false;
  bool held_ = false;
};

}  // namespace hearth::net
