-- What wrk sends: the same small request as the others.
wrk.method = "POST"
wrk.body = '{"model":"m","stream":true,"max_tokens":1,"prompt":"Say yes."}'
wrk.headers["content-type"] = "application/json"
