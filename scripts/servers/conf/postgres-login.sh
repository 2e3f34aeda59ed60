#!/bin/sh
# Run by the image of Postgres when it makes its data: the login of waybill's roles, which
# `waybill migrate` lets add facts and read them. It makes and owns nothing.
psql --username postgres --dbname postgres --quiet \
    --set ON_ERROR_STOP=1 --set password="$POSTGRES_RUN_PASSWORD" <<'SQL'
CREATE ROLE waybill LOGIN PASSWORD :'password';
SQL
