CREATE TABLE "accounts" (
	"id" serial PRIMARY KEY NOT NULL,
	"owner" varchar(100) NOT NULL,
	"balance" integer NOT NULL,
	CONSTRAINT "accounts_owner_unique" UNIQUE("owner")
);
--> statement-breakpoint
CREATE TABLE "transfers" (
	"id" serial PRIMARY KEY NOT NULL,
	"sender" varchar(100) NOT NULL,
	"receiver" varchar(100) NOT NULL,
	"amount" integer NOT NULL
);
