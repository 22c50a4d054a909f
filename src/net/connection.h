// Connection: one client's socket. Bytes -> requests -> engine; the session's output -> bytes.
//
// libuv accepts and closes it; what is read and written goes through the network's ring where there
// is one, else through libuv too.
#pragma once

#include <uv.h>

#include <string>
#include <string_view>

#include "src/base/input_buffer.h"
#include "src/command/session.h"
#include "src/net/network.h"
#include "src/net/ring.h"
#include "src/proto/request_parser.h"

namespace hearth::net {

class Connection final : private RingSocket {
 public:
  enum class Kind : std::uint8_t { kTcp, kUnix };
  Connection(Network& network, Kind kind);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  [[nodiscard]] uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(&handle_); }
  [[nodiscard]] uv_handle_t* handle() { return reinterpret_cast<uv_handle_t*>(&handle_); }
  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] Session* session() { return session_; }
  void bind_session(Session& session) {
    session_ = &session;
    session.connection = this;
  }
  void start_reading();
  // Writes what it can now; what the socket does not take follows by itself.
  void flush();
  // Runs what is unread, after the session was parked.
  void resume();
  // Runs what was gathered of this connection.
  void run(Gathering::Part& part);
  // What was gathered of this connection becomes unread input again.
  void take_back();
  // Sends a last line to a client that is not admitted, then ends.
  void refuse(std::string_view line);
  // Ends the session and the socket. The object deletes itself when libuv lets go of it.
  void close();
  [[nodiscard]] bool closing() const { return closing_; }
  // Between the two the connection is neither read nor written nor closed: a script of its session
  // lets others be served, and the frames that run it stand on its buffers.
  void hold();
  void release();
  [[nodiscard]] bool held() const { return held_; }
  // Writes all that waits and `out`, then waits for input, whatever else there is to do. False: the
  // client is gone, or a signal came.
  [[nodiscard]] bool exchange_blocking(std::string_view out, std::string& in);
  // What a write that ended while the connection was held leads to.
  void finish_held_write();
  // Gives memory of the input buffer back; see EngineHost::trim_buffers.
  void trim_input(bool idle);

 private:
  static void on_alloc(uv_handle_t* handle, std::size_t suggested, uv_buf_t* buf);
  static void on_read(uv_stream_t* stream, ssize_t nread, const uv_buf_t* buf);
  static void on_written(uv_write_t* request, int status);
  // --- RingSocket ---
  void on_input(std::string_view bytes, unsigned buffer, bool more) override;
  void on_input_end(int error) override;
  void on_sent(int result) override;
  void on_writable() override;
  void on_idle() override;

  void count_input(std::size_t bytes);
  // False: there is no memory, and the client is on its way out.
  bool append_input(std::string_view bytes);
  // All that is unread, in the connection's buffer.
  [[nodiscard]] Input own_input() const;
  // `may_wait`: to be run at the end of the turn, with what others sent.
  void receive(Input data, bool may_wait);
  // Parses and prepares what is complete in `data` from `from` on, up to a full batch.
  RequestParser::Status parse(std::string_view data, std::size_t from, RequestBatch& batch);
  // Runs `batch`, the first of `data`, which ended with `status`, and all complete requests behind
  // it; returns how many bytes they took.
  std::size_t process(std::string_view data, RequestBatch& batch, RequestParser::Status status);
  // The same for a batch that nothing was fetched for.
  std::size_t process_alone(std::string_view data, RequestBatch& batch,
                            RequestParser::Status status);
  void keep_rest(const Input& data, std::size_t consumed);
  void note_input();
  // The socket took so many bytes of the output.
  void take_written(std::size_t bytes);
  void queue_write();
  void send_through_ring();
  void end_write(std::int64_t result);
  void flush_rest();
  void settle();
  // Bytes written of those in flight, or an error (negative).
  void finish_write(std::int64_t result);
  void update_reading();
  void set_reading(bool on);

  Network& network_;
  Kind kind_;
  union {
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  } handle_{};
  uv_write_t write_{};
  Session* session_ = nullptr;
  RequestParser parser_;
  InputBuffer input_;
  std::size_t input_peak_ = 0;           // bytes that were unread at once since it was trimmed last
  std::size_t in_flight_ = 0;            // bytes handed to uv_write
  Gathering::Part* gathered_ = nullptr;  // what it sent in this turn and has not run
  OutBuffer last_output_;
  std::size_t dying_bytes_ = 0;  // that it holds: see Engine::released
  std::string late_;             // what the ring had received when the connection was held
  bool reading_ = false;
  bool closing_ = false;
  bool held_ = false;
  bool full_ = false;  // the socket took less than it was given; on_writable ends it
  bool sends_no_more_ = false;
  bool written_while_held_ = false;  // a write ended, with this result
  std::int64_t write_result_ = 0;
};

}  // namespace hearth::net
