// The C client library that most other clients are built on: what it can do, users will do.
#pragma once

#include <hiredis/hiredis.h>

#include <memory>
#include <string>
#include <vector>

namespace hearth::test {

class HiredisClient {
 public:
  explicit HiredisClient(int port) : context_(redisConnect("127.0.0.1", port)) {}
  explicit HiredisClient(const std::string& unix_path)
      : context_(redisConnectUnix(unix_path.c_str())) {}

  [[nodiscard]] bool is_connected() const { return context_ && context_->err == 0; }

  // The reply as text, in the form of RespClient::text.
  std::string run(const std::vector<std::string>& args) {
    std::vector<const char*> texts;
    std::vector<std::size_t> sizes;
    for (const auto& arg : args) {
      texts.push_back(arg.data());
      sizes.push_back(arg.size());
    }
    const Reply reply(static_cast<redisReply*>(redisCommandArgv(
        context_.get(), static_cast<int>(args.size()), texts.data(), sizes.data())));
    return reply ? as_text(*reply) : "(closed)";
  }
  void append(const std::vector<std::string>& args) {
    std::vector<const char*> texts;
    std::vector<std::size_t> sizes;
    for (const auto& arg : args) {
      texts.push_back(arg.data());
      sizes.push_back(arg.size());
    }
    redisAppendCommandArgv(context_.get(), static_cast<int>(args.size()), texts.data(),
                           sizes.data());
  }
  std::string next() {
    void* raw = nullptr;
    if (redisGetReply(context_.get(), &raw) != REDIS_OK) return "(closed)";
    const Reply reply(static_cast<redisReply*>(raw));
    return as_text(*reply);
  }

 private:
  struct Free {
    void operator()(redisContext* context) const { redisFree(context); }
    void operator()(redisReply* reply) const { freeReplyObject(reply); }
  };
  using Reply = std::unique_ptr<redisReply, Free>;

  static std::string as_text(const redisReply& reply) {
    switch (reply.type) {
      case REDIS_REPLY_INTEGER: return std::to_string(reply.integer);
      case REDIS_REPLY_NIL: return "(nil)";
      case REDIS_REPLY_ERROR:
        return "-" + std::string(reply.str, static_cast<std::size_t>(reply.len));
      case REDIS_REPLY_ARRAY: {
        std::string all;
        for (std::size_t i = 0; i < reply.elements; ++i)
          all += (all.empty() ? "" : " ") + as_text(*reply.element[i]);
        return all;
      }
      default: return {reply.str, static_cast<std::size_t>(reply.len)};
    }
  }

  std::unique_ptr<redisContext, Free> context_;
};

}  // namespace hearth::test
